#include "sys/main_thread.h"

#include <sys/syscall.h>

#include <array>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "sys/descendants.h"
#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {
namespace {

constexpr std::size_t kMostStarted = 4;

struct Name {
  long number;
  std::string_view name;
};
// Those in which a thread may wait for long.
constexpr auto kNames = std::to_array<Name>({
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_readv, "readv"},
    {SYS_writev, "writev"},
    {SYS_pread64, "pread64"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_flock, "flock"},
    {SYS_fcntl, "fcntl"},
    {SYS_futex, "futex"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_ppoll, "ppoll"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_connect, "connect"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, "epoll_pwait2"},
#endif
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait"},
#endif
#ifdef SYS_poll
    {SYS_poll, "poll"},
#endif
});

std::string name_of_call(long number) {
  for (const Name& name : kNames) {
    if (name.number == number) return std::string(name.name);
  }
  return "system call " + std::to_string(number);
}

std::string path_of(Pid pid, std::string_view file) {
  const std::string number = std::to_string(pid.value());
  return "/proc/" + number + "/task/" + number + "/" + std::string(file);
}

// "0" or an address stands there when kernel symbols are hidden.
std::string read_kernel_function(Pid pid) {
  const auto text = read_file(path_of(pid, "wchan"));
  const std::string_view name = text ? trim(*text) : "";
  return name.empty() || (name.front() >= '0' && name.front() <= '9') ? "" : std::string(name);
}

std::string read_system_call(Pid pid) {
  const auto text = read_file(path_of(pid, "syscall"));
  if (!text) return {};
  const auto number = parse_system_call(*text);
  return number ? name_of_call(*number) : "";
}

std::vector<std::string> read_started(Pid pid) {
  std::vector<std::string> started;
  for (const int child : Descendants(pid, Descendants::Depth::children)) {
    if (started.size() >= kMostStarted) break;
    const std::string number = std::to_string(child);
    const auto name = read_file("/proc/" + number + "/comm");
    if (name) started.push_back(number + " (" + printable(trim(*name)) + ")");
  }
  return started;
}

}  // namespace

Result<MainThread> look_at_main_thread(Pid pid) {
  const std::string path = path_of(pid, "stat");
  NI_TRY(const std::string text, read_file(path));
  const auto stat = parse_proc_stat(text);
  if (!stat) {
    return Error{.operation = "parse", .subject = path, .code = 0, .reason = "malformed"};
  }
  return MainThread{
      .state = stat->state,
      .cpu = from_ticks(stat->field(14)) + from_ticks(stat->field(15)),  // user and system
      .kernel_function = read_kernel_function(pid),
      .system_call = read_system_call(pid),
      .started = read_started(pid)};
}

char state_of(Pid pid) {
  const auto text = read_file(path_of(pid, "stat"));
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  return stat ? stat->state : '?';
}

}  // namespace ni::sys
