#include "app/single/single.h"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "app/logs/log.h"
#include "app/single/attendance.h"
#include "app/single/stderr_relay.h"
#include "base/text.h"
#include "core/settings/command_text.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "sys/reap.h"
#include "sys/signals.h"
#include "sys/terminal.h"

namespace ni::app {
namespace {

// post_stop gets so long, however late it is.
constexpr Duration kShortestConclusion = 2s;
// As in cluster mode: a reader of our stderr that is slow gets so long for the rest.
constexpr Duration kLastOutputTime = 2s;
constexpr std::size_t kMostOfACommand = 180;

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

std::string command_of(const char* const* argv) {
  std::vector<std::string> words;
  for (; *argv != nullptr; ++argv) {
    words.emplace_back(*argv);
  }
  return printable(join_command(words), kMostOfACommand);
}

std::string tell_end(ExitStatus status, std::optional<Signal> asked_by) {
  const std::string told = to_string(status);
  return (status.by_signal() ? "was killed by " + told : "has ended: " + told) +
         (asked_by ? " (asked to stop by " + to_string(*asked_by) + ")" : "");
}

// One run of it all: what is before the worker, the worker, what is after it.
class SingleRun {
 public:
  explicit SingleRun(const SingleRequest& request) : request_(request) {
    // One that was closed when we were started stays closed for the worker.
    if (request.reads_stderr && sys::is_inheritable(STDERR_FILENO)) {
      auto relay = StderrRelay::open(request.user);
      if (relay) {
        relay_.emplace(std::move(*relay));
      } else {
        log().warn("stderr_not_read", to_string(relay.error()) + "; its last words stay unknown");
      }
    }
  }

  SingleEnd run();

 private:
  struct HookEnd {
    int exit_code = 0;
    bool asked_to_stop = false;
    std::string reason;  // when it failed
    std::string words;
  };

  SingleEnd finish();
  Log log();
  std::variant<sys::Starting, sys::SpawnFailure> begin(sys::SpawnRequest spawned);
  sys::SpawnResult see_off(std::variant<sys::Starting, sys::SpawnFailure>& begun,
                           std::optional<Attendance>& attendance);
  HookEnd run_hook(std::string_view name, const char* const* argv, int directory,
                   std::optional<Instant> deadline);
  bool run_pre_start();
  void run_post_stop(int directory, Instant deadline);
  void hold_only(sys::UniqueFd& directory);
  void note_end(Pid worker, ExitStatus status, std::optional<Signal> asked_by);

  Attendance::Rules rules() const { return {.signals = request_.signals, .grace = request_.grace}; }
  StderrRelay* relay() { return relay_ ? &*relay_ : nullptr; }
  std::string take_words() { return relay_ ? relay_->take_words() : std::string(); }

  const SingleRequest& request_;
  std::optional<StderrRelay> relay_;
  SingleEnd end_;
};

Log SingleRun::log() {
  Log log(request_.log_level, request_.log_format);
  if (relay_) {
    log.send_to([this](std::string_view line) { return relay_->write_own(line); });
  }
  return log;
}

std::variant<sys::Starting, sys::SpawnFailure> SingleRun::begin(sys::SpawnRequest spawned) {
  const sys::DescriptorMapping to_relay{.from = relay_ ? relay_->write_end() : -1,
                                        .to = STDERR_FILENO};
  if (relay_) {
    spawned.descriptors = {&to_relay, 1};
  }
  spawned.environment = request_.environment;
  spawned.directory = request_.directory;
  spawned.user = request_.user;
  return sys::begin_spawn(spawned);
}

// Until the program runs, or with why it does not. Where there is a process it has an `attendance`.
sys::SpawnResult SingleRun::see_off(std::variant<sys::Starting, sys::SpawnFailure>& begun,
                                    std::optional<Attendance>& attendance) {
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&begun)) {
    return *failure;
  }
  auto& starting = std::get<sys::Starting>(begun);
  attendance.emplace(rules(), relay(), starting.pid());
  return attendance->see_off(starting);
}

// To its end. `deadline`: it is killed then.
SingleRun::HookEnd SingleRun::run_hook(std::string_view name, const char* const* argv,
                                       int directory, std::optional<Instant> deadline) {
  auto begun = begin({.argv = argv, .environment = nullptr, .directory_fd = directory});
  std::optional<Attendance> attended;
  const sys::SpawnResult spawned = see_off(begun, attended);
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&spawned)) {
    std::string reason = fmt::format("{}: could not be started: {}", name, failure->message);
    log().error("hook_ended", reason);
    return {.exit_code = failure->exit_code, .reason = std::move(reason)};
  }
  const Pid pid = std::get<Pid>(spawned);
  Attendance& attendance = *attended;
  const ExitStatus status = attendance.attend(deadline);
  HookEnd end{.exit_code = status.as_exit_code(),
              .asked_to_stop = attendance.asked_by().has_value(),
              .words = take_words()};
  if (!status.success()) {
    log().error("hook_ended", fmt::format("{}: ended ({})", name, to_string(status)));
    end.reason =
        fmt::format("{} (pid {}) {}", name, pid.value(), tell_end(status, attendance.asked_by()));
  }
  return end;
}

// False: that is the end.
bool SingleRun::run_pre_start() {
  HookEnd hook = run_hook("pre_start", request_.pre_start, -1, {});
  if (hook.exit_code == 0 && !hook.asked_to_stop) {
    return true;
  }
  end_.exit_code = hook.exit_code;
  end_.reason = std::move(hook.reason);
  end_.notes.last_words("pre_start", hook.words);
  return false;
}

// Its failure is told and changes nothing: what the container was there for is done.
void SingleRun::run_post_stop(int directory, Instant deadline) {
  const HookEnd hook = run_hook("post_stop", request_.post_stop, directory, deadline);
  if (hook.exit_code == 0) {
    return;
  }
  end_.notes.trouble(hook.reason);
  if (!end_.notes.has_last_words()) {
    end_.notes.last_words("post_stop", hook.words);
  }
}

// The reader of an inherited pipe sees its end when the worker closes it.
void SingleRun::hold_only(sys::UniqueFd& directory) {
  if (request_.post_stop == nullptr) {
    directory.reset();
    if (relay_) {
      relay_->close_write_end();
    }
  }
  if (relay_) {
    relay_->close_all_others(directory.get());
  } else {
    const int spared = directory.get();
    sys::close_from(3, {&spared, 1});
  }
}

void SingleRun::note_end(Pid worker, ExitStatus status, std::optional<Signal> asked_by) {
  end_.exit_code = status.as_exit_code();
  const std::string words = take_words();
  if (status.success()) {
    return;
  }
  const std::string who = fmt::format("{} (pid {})", command_of(request_.argv), worker.value());
  end_.reason = who + " " + tell_end(status, asked_by);
  // One that has just obeyed has nothing to explain.
  const bool obeyed =
      asked_by && (status.was(*asked_by) || end_.exit_code == 128 + asked_by->number());
  if (!obeyed) {
    end_.notes.last_words(who, words);
  }
}

SingleEnd SingleRun::run() {
  if (request_.pre_start != nullptr && !run_pre_start()) {
    return finish();
  }
  auto terminal = sys::ForegroundTerminal::find();
  sys::UniqueFd directory = leave_working_directory();
  auto begun = begin({.argv = request_.argv,
                      .environment = nullptr,
                      .directory_fd = directory.get(),
                      .foreground_of = terminal ? terminal->fd() : -1,
                      .takes_listen_pid = true});
  std::optional<Attendance> attended;
  const sys::SpawnResult spawned = see_off(begun, attended);
  if (terminal) {
    terminal->close();
  }
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&spawned)) {
    if (terminal) {
      terminal->take_back();
    }
    log().error("spawn_failed", failure->message, {{"exit_code", failure->exit_code}});
    end_.exit_code = failure->exit_code;
    end_.reason = failure->message;
    return finish();
  }
  (void)!::chdir("/");          // where it was not done before; nothing depends on it
  begun = sys::SpawnFailure{};  // its descriptor goes
  hold_only(directory);
  const Pid worker = std::get<Pid>(spawned);
  Attendance& attendance = *attended;
  const ExitStatus status = attendance.attend();
  if (terminal) {
    terminal->take_back();
  }
  note_end(worker, status, attendance.asked_by());
  attendance.say_farewell();
  if (request_.post_stop != nullptr) {
    run_post_stop(directory.get(), attendance.end_of_grace(kShortestConclusion));
  }
  return finish();
}

SingleEnd SingleRun::finish() {
  if (relay_) {
    relay_->finish(kLastOutputTime);
  }
  return std::move(end_);
}

}  // namespace

SingleEnd run_single(const SingleRequest& request) {
  sys::adopt_orphans();
  return SingleRun(request).run();
}

}  // namespace ni::app
