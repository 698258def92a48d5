#include "sys/reap.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/text.h"
#include "sys/descendants.h"
#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {
namespace {

ExitStatus status_of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) {
    if (const auto signal = Signal::from(WTERMSIG(wait_status))) {
      return ExitStatus::killed_by(*signal, WCOREDUMP(wait_status));
    }
  }
  return ExitStatus::exited(WEXITSTATUS(wait_status));
}

}  // namespace

Reaped reap() noexcept {
  int wait_status = 0;
  rusage used{};
  for (;;) {
    const pid_t pid = ::wait4(-1, &wait_status, WNOHANG, &used);
    if (const auto ended = Pid::from(pid)) {
      const auto peak =
          used.ru_maxrss > 0
              ? std::optional(Bytes{static_cast<std::uint64_t>(used.ru_maxrss) * kKiB})
              : std::nullopt;
      return {.ended = Ended{.pid = *ended, .status = status_of(wait_status), .peak_memory = peak},
              .anyone_left = true};
    }
    if (pid == 0) {
      return {.ended = std::nullopt, .anyone_left = true};
    }
    if (errno != EINTR) {
      return {.ended = std::nullopt, .anyone_left = errno != ECHILD};
    }
  }
}

std::optional<Stopped> take_stopped() noexcept {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) != 0) {
    return std::nullopt;
  }
  const auto pid = Pid::from(info.si_pid);  // 0: nobody
  const auto by = Signal::from(info.si_status);
  return pid && by ? std::optional(Stopped{.pid = *pid, .by = *by}) : std::nullopt;
}

void adopt_orphans() noexcept {
  if (::getpid() != 1) {
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  }
}

void signal_everyone_left(Signal signal, std::optional<Pid> main_worker) noexcept {
  if (::getpid() == 1) {
    (void)::kill(-1, signal.number());  // kill(2): everybody but PID 1 itself
    return;
  }
  const Descendants descendants(*Pid::from(::getpid()));
  for (const int pid : descendants) {
    (void)::kill(pid, signal.number());
  }
  if (!descendants.is_known() && main_worker) {
    (void)::kill(-main_worker->value(), signal.number());
  }
}

// proc(5): state is field 3 of stat, flags is 9; PF_EXITING is 4 (include/linux/sched.h, at least
// since Linux 2.6).
bool is_ending(Pid pid) {
  constexpr std::uint64_t kExiting = 4;
  const std::string folder = "/proc/" + std::to_string(pid.value());
  const auto text = read_file(folder + "/stat");
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  if (!stat || stat->state == 'Z' || stat->state == 'X' || (stat->field(9) & kExiting) != 0) {
    return true;
  }
  const auto status = read_file(folder + "/status");
  return status && is_kill_pending(*status);
}

std::vector<LeftOver> everyone_left(std::size_t most) {
  std::vector<LeftOver> found;
  const auto add = [&](int number) {
    const auto pid = Pid::from(number);
    const auto text = pid && found.size() < most
                          ? read_file("/proc/" + std::to_string(number) + "/stat")
                          : Result<std::string>(Error{});
    const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
    if (!stat || stat->state == 'Z' || stat->state == 'X') return;
    found.push_back({*pid, printable(stat->name)});
  };
  if (::getpid() != 1) {
    for (const int pid : Descendants(*Pid::from(::getpid()))) {
      add(pid);  // without /proc nobody can be named
    }
    return found;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  while (const dirent* const entry = proc ? ::readdir(proc.get()) : nullptr) {
    add(parse_number<int>(entry->d_name).value_or(0));
  }
  return found;
}

}  // namespace ni::sys
