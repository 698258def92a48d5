#pragma once

// Single mode's watch over one process that it started: signals are passed on, every orphan is
// reaped, until it has ended; then those who are left below us are asked to go, and killed when the
// grace is over. A hook has such a watch, too, without the farewell.
//
// Blocks; all signals are blocked already (sys/signals.h), and come by sigwaitinfo(2) or the relay.

#include <optional>
#include <span>

#include "app/single/stderr_relay.h"
#include "base/exit_status.h"
#include "base/types.h"
#include "core/settings/config.h"
#include "sys/process.h"
#include "sys/signals.h"

namespace ni::app {

class Attendance {
 public:
  struct Rules {
    std::span<const SignalRule> signals;
    // From the signal to stop, or else from the worker's end, to the last SIGKILL.
    Duration grace;
  };

  // `relay` waits in the place of sigwaitinfo(2); nullptr when there is none.
  Attendance(Rules rules, StderrRelay* relay, Pid worker)
      : rules_(rules), relay_(relay), worker_(worker) {}

  // Until it is decided whether the worker runs its program. One that is stopped on its way there
  // is continued, and killed when its time is over; signals are served meanwhile.
  sys::SpawnResult see_off(sys::Starting& starting);

  // Until the worker has ended; after `deadline` it is killed. 255 when somebody else took its
  // status.
  ExitStatus attend(std::optional<Instant> deadline = {});

  // The signal that asked us to stop since this began, the last one.
  std::optional<Signal> asked_by() const { return asked_by_; }

  // What remains of the grace when we were asked to stop within it; else all of it counts from now.
  Instant end_of_grace(Duration at_least) const;

  // Ends everybody who is left, within the bound.
  void say_farewell();

 private:
  std::optional<sys::ReceivedSignal> wait_for_signal(std::optional<Instant> deadline);
  void act_on(const sys::ReceivedSignal& received);
  bool reap_all();
  void kill_everyone();

  Rules rules_;
  StderrRelay* relay_;
  Pid worker_;
  std::optional<ExitStatus> status_;
  std::optional<Instant> asked_to_stop_;
  std::optional<Signal> asked_by_;
};

}  // namespace ni::app
