#include "sys/main_thread.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "sys/descendants.h"
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

// The words of a stat file from the third field on, where the state stands; the second is a name in
// brackets that may hold anything (proc(5)).
std::vector<std::string_view> fields_from_state(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  return name_end == std::string_view::npos ? std::vector<std::string_view>()
                                            : split_words(stat.substr(name_end + 1));
}

// "0" or an address stands there when kernel symbols are hidden.
std::string read_kernel_function(Pid pid) {
  const auto text = read_file(path_of(pid, "wchan"));
  const std::string_view name = text ? trim(*text) : "";
  return name.empty() || (name.front() >= '0' && name.front() <= '9') ? "" : std::string(name);
}

// proc(5): "running", "-1 …" when it waits outside of a call, or the call's number and registers.
std::string read_system_call(Pid pid) {
  const auto text = read_file(path_of(pid, "syscall"));
  if (!text) return {};
  const auto words = split_words(*text);
  const auto number = words.empty() ? std::nullopt : parse_number<long>(words.front());
  return number && *number >= 0 ? name_of_call(*number) : "";
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
  const auto fields = fields_from_state(text);
  if (fields.size() < 13) {
    return Error{.operation = "parse", .subject = path, .code = 0, .reason = "malformed"};
  }
  const auto ticks = parse_number<std::uint64_t>(fields[11]).value_or(0) +
                     parse_number<std::uint64_t>(fields[12]).value_or(0);  // 14 and 15 of proc(5)
  static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return MainThread{
      .state = fields[0].front(),
      .cpu = Duration(static_cast<Duration::rep>(ticks * (1'000'000'000 / per_second))),
      .kernel_function = read_kernel_function(pid),
      .system_call = read_system_call(pid),
      .started = read_started(pid)};
}

char state_of(Pid pid) {
  const auto text = read_file(path_of(pid, "stat"));
  const auto fields = text ? fields_from_state(*text) : std::vector<std::string_view>();
  return fields.empty() ? '?' : fields[0].front();
}

}  // namespace ni::sys
