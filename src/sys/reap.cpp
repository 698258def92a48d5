#include "sys/reap.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/text.h"
#include "sys/fd.h"
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

// So many descendants are signalled in one sweep; the sweep is repeated until nobody is left, and
// those killed make room for the rest.
constexpr std::size_t kMostInOneSweep = 1024;

class Descendants {
 public:
  // False: the kernel does not tell (no /proc, or a kernel without CONFIG_PROC_CHILDREN).
  bool collect() noexcept {
    if (!add_workers_of(static_cast<int>(::getpid()))) {
      return false;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      (void)add_workers_of(pids_[i]);  // it may be gone already
    }
    return true;
  }
  std::size_t size() const noexcept { return count_; }
  int operator[](std::size_t i) const noexcept { return pids_[i]; }

 private:
  // proc(5): /proc/pid/task/tid/children, a list of pids with blanks between. Threads other than
  // the first may have started processes too; those are found once their parent is gone and they
  // are ours.
  bool add_workers_of(int pid) noexcept {
    std::array<char, 64> path;
    (void)std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/children", pid, pid);
    const UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      return false;
    }
    std::array<char, 1024> buffer;
    std::size_t kept = 0;
    for (;;) {
      const ssize_t size = ::read(file.get(), buffer.data() + kept, buffer.size() - kept);
      if (size <= 0) {
        return true;
      }
      kept = add_numbers({buffer.data(), kept + static_cast<std::size_t>(size)}, buffer.data());
    }
  }

  // Each number is followed by a blank; what comes after the last one is the beginning of a number,
  // moved to `unread` for the next read. Its length.
  std::size_t add_numbers(std::string_view text, char* unread) noexcept {
    for (auto end = text.find(' '); end != std::string_view::npos; end = text.find(' ')) {
      const auto pid = parse_number<int>(text.substr(0, end));
      if (pid && *pid >= 2 && count_ < pids_.size()) {
        pids_[count_++] = *pid;
      }
      text.remove_prefix(end + 1);
    }
    std::memmove(unread, text.data(), text.size());
    return text.size();
  }

  std::array<int, kMostInOneSweep> pids_;
  std::size_t count_ = 0;
};

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
  Descendants descendants;
  if (descendants.collect()) {
    for (std::size_t i = 0; i < descendants.size(); ++i) {
      (void)::kill(descendants[i], signal.number());
    }
    return;
  }
  if (main_worker) {
    (void)::kill(-main_worker->value(), signal.number());
  }
}

std::vector<LeftOver> everyone_left(std::size_t most) {
  std::vector<LeftOver> found;
  const auto add = [&](int number) {
    const auto pid = Pid::from(number);
    const auto stat = pid && found.size() < most
                          ? read_file("/proc/" + std::to_string(number) + "/stat")
                          : Result<std::string>(Error{});
    const auto open = stat ? stat->find('(') : std::string::npos;
    const auto close = stat ? stat->rfind(')') : std::string::npos;
    if (open == std::string::npos || close == std::string::npos || close < open) return;
    if (stat->compare(close, 3, ") Z") == 0 || stat->compare(close, 3, ") X") == 0) return;
    found.push_back({*pid, printable(stat->substr(open + 1, close - open - 1))});
  };
  if (::getpid() != 1) {
    Descendants descendants;
    (void)descendants.collect();  // without /proc nobody can be named
    for (std::size_t i = 0; i < descendants.size(); ++i) add(descendants[i]);
    return found;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  while (const dirent* const entry = proc ? ::readdir(proc.get()) : nullptr) {
    add(parse_number<int>(entry->d_name).value_or(0));
  }
  return found;
}

}  // namespace ni::sys
