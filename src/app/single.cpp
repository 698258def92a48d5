#include "app/single.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

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
// post_stop gets so long, however late it is.
constexpr Duration kShortestConclusion = 2s;
constexpr Duration kBeforeContinue = 500ms;
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

  // Until the worker has ended; after `deadline` it is killed.
  ExitStatus attend(std::optional<Instant> deadline = {}) {
    for (;;) {
      if (deadline && *deadline <= sys::now()) {
        (void)sys::send_signal_to_group(worker_, signals::kill);  // ESRCH: it has just ended
        deadline = sys::now() + kBetweenKills;
      }
      if (const auto received = next_signal(deadline)) {
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

  bool was_asked_to_stop() const { return asked_to_stop_.has_value(); }

  // What remains of the grace when we were asked to stop within it; else all of it counts from now.
  Instant end_of_grace(Duration at_least) const {
    const Instant now = sys::now();
    if (asked_to_stop_ && now - *asked_to_stop_ < request_.grace) {
      return std::max(*asked_to_stop_ + request_.grace, now + at_least);
    }
    return now + std::max(request_.grace, at_least);
  }

  // Ends everybody who is left, within the bound.
  void say_farewell() {
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
      const auto received = sys::wait_for_signal(until - now);
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

 private:
  static std::optional<sys::ReceivedSignal> next_signal(std::optional<Instant> deadline) {
    return deadline ? sys::wait_for_signal(*deadline - sys::now()) : sys::wait_for_signal();
  }

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
    // kill(2), ESRCH: nobody is left in the group, the worker may have led another one since.
    if (decision.does != SignalDecision::Does::to_groups ||
        !sys::send_signal_to_group(worker_, *decision.signal, received.value)) {
      // ESRCH: it is gone, its status says the rest.
      (void)sys::send_signal(worker_, *decision.signal, received.value);
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

// Moves us to /, so that we pin no mount, before the worker can look. The answer is where we were.
// It is empty, and we stay for now, when there is no descriptor to spare for it, or no right to
// come back to it (a directory that only a former user may enter).
sys::UniqueFd leave_working_directory() {
  sys::UniqueFd where(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (where && (::fchdir(where.get()) != 0 || ::chdir("/") != 0)) {
    where.reset();
  }
  return where;
}

// Runs a hook to its end; its exit code. `deadline`: it is killed then.
int run_hook(const SingleRequest& request, std::string_view name, const char* const* argv,
             int directory, std::optional<Instant> deadline, bool& asked_to_stop) {
  Log log(request.log_level, request.log_format);
  const sys::SpawnResult spawned = sys::spawn({.argv = argv,
                                               .environment = request.environment,
                                               .directory_fd = directory,
                                               .directory = request.directory,
                                               .user = request.user});
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&spawned)) {
    log.error("hook_ended", fmt::format("{}: could not be started: {}", name, failure->message));
    return failure->exit_code;
  }
  Attendance attendance(request, std::get<Pid>(spawned));
  const ExitStatus status = attendance.attend(deadline);
  asked_to_stop = attendance.was_asked_to_stop();
  if (!status.success()) {
    log.error("hook_ended", fmt::format("{}: ended ({})", name, to_string(status)));
  }
  return status.as_exit_code();
}

}  // namespace

int run_single(const SingleRequest& request) {
  sys::adopt_orphans();
  bool asked_to_stop = false;
  if (request.pre_start != nullptr) {
    const int code = run_hook(request, "pre_start", request.pre_start, -1, {}, asked_to_stop);
    if (code != 0 || asked_to_stop) {
      return code;
    }
  }
  auto terminal = sys::ForegroundTerminal::find();
  sys::UniqueFd directory = leave_working_directory();
  const sys::SpawnResult spawned = sys::spawn({.argv = request.argv,
                                               .environment = request.environment,
                                               .directory_fd = directory.get(),
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
  (void)!::chdir("/");  // where it was not done before; nothing depends on it
  if (request.post_stop == nullptr) {
    directory.reset();
  } else if (directory && directory.get() != 3) {  // post_stop is run there
    directory = sys::UniqueFd(::dup3(directory.release(), 3, O_CLOEXEC));
  }
  sys::close_from(
      directory ? 4 : 3);  // the reader of an inherited pipe sees its end when the worker closes it
  Attendance attendance(request, std::get<Pid>(spawned));
  const ExitStatus status = attendance.attend();
  if (terminal) {
    terminal->take_back();
  }
  attendance.say_farewell();
  if (request.post_stop != nullptr) {
    // Its failure is told and changes nothing: what the container was there for is done.
    (void)run_hook(request, "post_stop", request.post_stop, directory.get(),
                   attendance.end_of_grace(kShortestConclusion), asked_to_stop);
  }
  return status.as_exit_code();
}

}  // namespace ni::app
