#pragma once

// A round of questions: every worker is asked for its own metrics, once for all who want them at
// the time, and the answers are merged as they come. It ends when all have answered, or when no
// more patience is left.
//
// Workers are also asked how many connections they have accepted (core/primary/primary.h): the
// round waits a little for those answers, too. One that was busy then has its latest figures shown,
// and is not waited for again until it has answered.
//
// What workers that are gone had counted by their last answer stays in the totals.
//
// Nobody can see from outside whether a program has prom-client. One whose workers have never
// answered is waited for shortly, once, and a worker of it is asked only so often; one that listens
// to no message, as its module inside tells, is not asked at all. A worker that has let a round pass
// is asked in the next one, too, but not waited for until it answers.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "core/report/worker_metrics.h"
#include "core/supervision/event.h"

namespace ni {

// Of workers that were asked, over all rounds.
struct WorkerAnswers {
  std::uint64_t merged = 0;
  std::uint64_t unanswered = 0;  // of programs that do answer: left out of a round
  std::uint64_t unusable = 0;    // too long, malformed, or the worker's own error
};

class MetricsRounds {
 public:
  static constexpr Duration kPatience = 1s;
  static constexpr Duration kFirstPatience = 100ms;  // with a program that has never answered
  static constexpr unsigned kMostUnanswered = 3;     // of a worker of such a program

  struct Asked {
    Incarnation worker;
    ProgramId program;
    std::string label;  // of its samples; empty: none
  };
  // A round begins, unless one is under way (it is joined). Who is to be sent request().
  // `counting`: those that were asked for their connections.
  std::vector<Incarnation> begin(std::span<const Asked> workers, Instant now,
                                 std::set<Incarnation> counting = {});
  std::int64_t request() const { return request_; }

  void answered(Incarnation worker, std::string_view line);
  // It has told its figures. `hears`: its program listens to messages. True: it does by now, and is
  // to be sent request().
  bool counted(Incarnation worker, bool asked = true, bool hears = true);
  // It ends, or is about to: no answer will come.
  void gone(Incarnation worker);

  bool is_under_way() const { return deadline_.has_value(); }
  bool is_complete(Instant now) const;
  std::optional<Instant> deadline() const { return deadline_; }
  // The round ends; who has not answered is left out.
  WorkerMetrics finish();

  const WorkerAnswers& answers() const { return answers_; }

 private:
  void set_deadline();
  bool waits_for(const Asked& asked) const;
  void remember(Incarnation worker, WorkerMetrics own);

  std::int64_t request_ = 0;
  Instant begun_{};
  std::optional<Instant> deadline_;
  std::map<Incarnation, Asked> pending_;
  std::set<Incarnation> counting_;
  std::map<Incarnation, Asked> not_asked_;  // in this round: they do not hear
  WorkerMetrics merged_;
  struct Latest {
    WorkerMetrics counts;
    std::int64_t request;
  };
  std::map<Incarnation, Latest> latest_;       // of live workers
  WorkerMetrics ended_;                        // the counts of those that are gone
  WorkerMetrics ended_later_;                  // the same, of some that are in merged_ already
  std::set<ProgramId> answering_;              // a worker of it has answered once
  std::map<Incarnation, ProgramId> programs_;  // of those that were ever asked
  std::set<ProgramId> silent_programs_;        // a worker of it has let a round pass
  std::set<Incarnation> deaf_;                 // listen to no message
  std::set<Incarnation> silent_;               // have not answered since they let a round pass
  std::set<Incarnation> late_;                 // the same, of their connections
  std::map<Incarnation, unsigned> unanswered_;
  WorkerAnswers answers_;
};

}  // namespace ni
