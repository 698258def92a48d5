#pragma once

// Between "does not answer" and its end a worker is looked at twice, a moment apart: what it does is
// said, and one that answers after all, or that was stopped with the whole container, lives on.

#include <map>
#include <optional>
#include <vector>

#include "core/deaths/hang_diagnosis.h"
#include "core/supervision/event.h"

namespace ni::app {

// nullopt: it is gone, or there is no /proc.
std::optional<ThreadLook> look_at(Pid pid);

class HangExaminer {
 public:
  static constexpr Duration kBetweenLooks = 250ms;

  // Takes the first look.
  void suspect(const event::Unresponsive& event, Pid pid, Instant now);
  void forget(Incarnation worker) { suspects_.erase(worker); }
  std::optional<Instant> next_deadline() const;

  struct Finding {
    event::Unresponsive event;  // with the diagnosis
    HangDiagnosis::Finds finds = HangDiagnosis::Finds::waiting;
  };
  // Takes the second look where it is due. Who is gone by then is not among them.
  std::vector<Finding> take_due(Instant now);

 private:
  struct Suspect {
    event::Unresponsive event;
    Pid pid;
    Instant first_at;
    ThreadLook first;
  };
  std::map<Incarnation, Suspect> suspects_;  // live workers at most
};

}  // namespace ni::app
