#include "app/single.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <variant>

#include "app/log.h"
#include "core/signal_policy.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "sys/reap.h"
#include "sys/signals.h"
#include "sys/terminal.h"

namespace ni::app {
namespace {

// Those who are left when the worker ended late in the grace get so much time at least.
constexpr Duration kShortestFarewell = 1s;
// After SIGKILL only a process stuck in the kernel is still there; it is not waited for any longer.
constexpr Duration kAfterKill = 2s;
constexpr Duration kBetweenKills = 50ms;
// Somebody else's waitpid (a debugger) took our worker's status: nobody knows it.
constexpr ExitStatus kUnknownStatus = ExitStatus::exited(255);

bool is_stop(Signal signal) {
  return signal == signals::term || signal == signals::interrupt || signal == signals::quit;
}

// A worker, from its start to the end of the last process below us.
class Attendance {
 public:
  Attendance(const SingleRequest& request, Pid worker) : request_(request), worker_(worker) {}

  // Until the worker has ended.
  ExitStatus attend() {
    for (;;) {
      const sys::ReceivedSignal received = sys::wait_for_signal();
      act_on(received);
      // Not only after CHLD: in a flood of signals with lower numbers it would never get its turn.
      if (!reap_all()) {
        return status_.value_or(kUnknownStatus);
      }
      if (status_) {
        return *status_;
      }
    }
  }

  // Ends everybody who is left, within the bound.
  void say_farewell() {
    if (!reap_all()) {
      return;
    }
    tell_everyone(signals::term);
    const Instant deadline = farewell_deadline();
    bool asked_again = false;
    for (Instant now = sys::now(); now < deadline; now = sys::now()) {
      const auto received = sys::wait_for_signal(deadline - now);
      if (!reap_all()) {
        return;
      }
      if (received && is_stop(received->signal)) {
        if (asked_again) {
          break;
        }
        // The first may have been under way when the worker ended; who asks twice is in a hurry.
        asked_again = true;
        tell_everyone(received->signal);
      }
    }
    kill_everyone();
  }

 private:
  void act_on(const sys::ReceivedSignal& received) {
    if (received.is_about_us()) {
      return;
    }
    if (is_stop(received.signal)) {
      asked_to_stop_ = sys::now();
    }
    const SignalDecision decision =
        decide({.signal = received.signal, .from_kernel = received.from_kernel()}, request_.signals,
               Mode::single);
    if (!decision.signal) {
      return;
    }
    sys::ReceivedSignal outgoing = received;
    outgoing.signal = *decision.signal;
    // kill(2), ESRCH: nobody is left in the group, the worker may have led another one since.
    if (decision.does != SignalDecision::Does::to_groups ||
        !sys::send_signal_to_group(worker_, outgoing.signal)) {
      sys::pass_on(outgoing, worker_);
    }
  }

  // False: nobody is left below us.
  bool reap_all() {
    for (;;) {
      const sys::Reaped reaped = sys::reap();
      if (!reaped.ended) {
        return reaped.anyone_left;
      }
      if (reaped.ended->pid == worker_ && !status_) {
        status_ = reaped.ended->status;
      }
    }
  }

  void tell_everyone(Signal signal) {
    sys::signal_everyone_left(signal, worker_);
    sys::signal_everyone_left(signals::cont, worker_);  // a stopped one would not hear the first
  }

  // What remains of the grace when we were asked to stop within it; else all of it counts from now.
  Instant farewell_deadline() const {
    const Instant now = sys::now();
    if (asked_to_stop_ && now - *asked_to_stop_ < request_.grace) {
      return std::max(*asked_to_stop_ + request_.grace, now + kShortestFarewell);
    }
    return now + request_.grace;
  }

  void kill_everyone() {
    const Instant end = sys::now() + kAfterKill;
    do {
      // Again and again: without PID 1's kill(-1) those who lose their parent come into sight only
      // now.
      sys::signal_everyone_left(signals::kill, worker_);
      (void)sys::wait_for_signal(kBetweenKills);
    } while (reap_all() && sys::now() < end);
  }

  const SingleRequest& request_;
  Pid worker_;
  std::optional<ExitStatus> status_;
  std::optional<Instant> asked_to_stop_;
};

// From here on no mount is pinned by us, and the reader of an inherited pipe sees its end when the
// worker closes it.
void let_go_of_what_was_inherited() {
  (void)!::chdir("/");  // cannot fail for want of rights; and if it did, nothing depends on it
  sys::close_from(3);
}

}  // namespace

int run_single(const SingleRequest& request) {
  sys::adopt_orphans();
  auto terminal = sys::ForegroundTerminal::find();
  const sys::SpawnResult spawned = sys::spawn({.argv = request.argv,
                                               .environment = request.environment,
                                               .directory = request.directory,
                                               .user = request.user,
                                               .foreground_of = terminal ? terminal->fd() : -1,
                                               .takes_listen_pid = true});
  if (terminal) {
    terminal->close();
  }
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&spawned)) {
    if (terminal) {
      terminal->take_back();
    }
    Log(request.log_level, request.log_format)
        .error("spawn_failed", failure->message, {{"exit_code", failure->exit_code}});
    return failure->exit_code;
  }
  let_go_of_what_was_inherited();
  Attendance attendance(request, std::get<Pid>(spawned));
  const ExitStatus status = attendance.attend();
  if (terminal) {
    terminal->take_back();
  }
  attendance.say_farewell();
  return status.as_exit_code();
}

}  // namespace ni::app
