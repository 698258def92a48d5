#include "app/single/attendance.h"

#include <algorithm>

#include "core/supervision/signal_policy.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/reap.h"

namespace ni::app {
namespace {

// Those who are left when the worker ended late in the grace get so much time at least.
constexpr Duration kShortestFarewell = 1s;
constexpr Duration kBeforeContinue = 500ms;
// After SIGKILL only a process stuck in the kernel is still there; it is not waited for any longer.
constexpr Duration kAfterKill = 2s;
constexpr Duration kBetweenKills = 50ms;
// Somebody else's waitpid (a debugger) took our worker's status: nobody knows it.
constexpr ExitStatus kUnknownStatus = ExitStatus::exited(255);

bool is_stop(Signal signal) {
  return signal == signals::term || signal == signals::interrupt || signal == signals::quit;
}

}  // namespace

sys::SpawnResult Attendance::see_off(sys::Starting& starting) {
  const Instant deadline = sys::now() + sys::kStartPatience;
  bool killed = false;
  for (;;) {
    const bool decided = starting.wait(status_ ? Duration::zero() : sys::kStartSlice);
    if (decided || status_) {
      const auto outcome = starting.outcome();
      const bool lived = !outcome || std::holds_alternative<Pid>(*outcome);
      return killed && lived ? starting.given_up() : outcome.value_or(worker_);
    }
    while (const auto received = wait_for_signal(sys::now())) {
      act_on(*received);
    }
    (void)sys::send_signal(worker_, signals::cont);  // ESRCH: it has just ended
    if (sys::now() >= deadline) {
      (void)sys::send_signal(worker_, signals::kill);
      killed = true;
    }
    (void)reap_all();
  }
}

ExitStatus Attendance::attend(std::optional<Instant> deadline) {
  if (status_) {  // it had ended before it was seen off
    return *status_;
  }
  for (;;) {
    if (deadline && *deadline <= sys::now()) {
      (void)sys::send_signal_to_group(worker_, signals::kill);  // ESRCH: it has just ended
      deadline = sys::now() + kBetweenKills;
    }
    if (const auto received = wait_for_signal(deadline)) {
      act_on(*received);
    }
    // Not only after CHLD: in a flood of signals with lower numbers it would never get its turn.
    if (!reap_all()) {
      return status_.value_or(kUnknownStatus);
    }
    if (status_) {
      return *status_;
    }
  }
}

Instant Attendance::end_of_grace(Duration at_least) const {
  const Instant now = sys::now();
  if (asked_to_stop_ && now - *asked_to_stop_ < rules_.grace) {
    return std::max(*asked_to_stop_ + rules_.grace, now + at_least);
  }
  return now + std::max(rules_.grace, at_least);
}

void Attendance::say_farewell() {
  if (!reap_all()) {
    return;
  }
  sys::signal_everyone_left(signals::term, worker_);
  const Instant deadline = end_of_grace(kShortestFarewell);
  Instant until = std::min(deadline, sys::now() + kBeforeContinue);
  bool asked_again = false;
  for (Instant now = sys::now(); now < deadline; now = sys::now()) {
    if (now >= until) {
      // A stopped one did not hear the first. Not sent along with it: of two pending signals the
      // handler of the second runs first.
      sys::signal_everyone_left(signals::cont, worker_);
      until = deadline;
    }
    const auto received = wait_for_signal(until);
    if (!reap_all()) {
      return;
    }
    if (received && is_stop(received->signal)) {
      if (asked_again) {
        break;
      }
      // The first may have been under way when the worker ended; who asks twice is in a hurry.
      asked_again = true;
      sys::signal_everyone_left(received->signal, worker_);
    }
  }
  kill_everyone();
}

std::optional<sys::ReceivedSignal> Attendance::wait_for_signal(std::optional<Instant> deadline) {
  if (relay_ != nullptr) {
    return relay_->wait_for_signal(deadline);
  }
  return deadline ? sys::wait_for_signal(*deadline - sys::now()) : sys::wait_for_signal();
}

void Attendance::act_on(const sys::ReceivedSignal& received) {
  if (received.is_about_us()) {
    return;
  }
  if (is_stop(received.signal)) {
    asked_to_stop_ = sys::now();
    asked_by_ = received.signal;
  }
  const SignalDecision decision =
      decide({.signal = received.signal, .from_kernel = received.from_kernel()}, rules_.signals,
             Mode::single);
  if (!decision.signal) {
    return;
  }
  // kill(2), ESRCH: nobody is left in the group, the worker may have led another one since.
  if (decision.does != SignalDecision::Does::to_groups ||
      !sys::send_signal_to_group(worker_, *decision.signal, received.value)) {
    // ESRCH: it is gone, its status says the rest.
    (void)sys::send_signal(worker_, *decision.signal, received.value);
  }
}

// False: nobody is left below us.
bool Attendance::reap_all() {
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

void Attendance::kill_everyone() {
  const Instant end = sys::now() + kAfterKill;
  do {
    // Again and again: without PID 1's kill(-1) those who lose their parent come into sight only
    // now.
    sys::signal_everyone_left(signals::kill, worker_);
    (void)wait_for_signal(sys::now() + kBetweenKills);
  } while (reap_all() && sys::now() < end);
}

}  // namespace ni::app
