#include "core/deaths/hang_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace ni {
namespace {

// More of a CPU than that, and it computes; a loop with a few system calls in it is caught so, too.
constexpr int kComputingPercent = 30;
constexpr std::size_t kMostNamed = 3;

struct Meaning {
  std::string_view system_call;
  std::string_view what;
};
constexpr auto kMeanings = std::to_array<Meaning>({
    {"futex", "Atomics.wait, or a thread of a native add-on that does not answer"},
    {"epoll_wait", "a synchronous child process: execSync, spawnSync"},
    {"epoll_pwait", "a synchronous child process: execSync, spawnSync"},
    {"epoll_pwait2", "a synchronous child process: execSync, spawnSync"},
    {"wait4", "a process that does not end"},
    {"waitid", "a process that does not end"},
    {"read", "a synchronous read: a terminal, a pipe, a file"},
    {"pread64", "a synchronous read of a file"},
    {"readv", "a synchronous read"},
    {"write", "a synchronous write: its reader does not read"},
    {"writev", "a synchronous write: its reader does not read"},
    {"fsync", "a disk that is slow"},
    {"fdatasync", "a disk that is slow"},
    {"flock", "a file that somebody else has locked"},
    {"fcntl", "a file that somebody else has locked"},
    {"connect", "a synchronous connection of a native add-on"},
    {"recvfrom", "a synchronous answer to a native add-on"},
    {"poll", "a synchronous answer to a native add-on"},
    {"ppoll", "a synchronous answer to a native add-on"},
    {"nanosleep", "a sleep"},
    {"clock_nanosleep", "a sleep"},
});

std::string tell_wait(const ThreadLook& look) {
  std::string text = look.state == 'D' ? "its main thread is stuck in the kernel (disk or network "
                                         "file system)"
                                       : "its main thread waits";
  if (!look.system_call.empty()) {
    text += " in " + look.system_call;
    const auto* const meaning =
        std::ranges::find(kMeanings, look.system_call, &Meaning::system_call);
    if (meaning != kMeanings.end()) {
      text += fmt::format(" ({})", meaning->what);
    }
  }
  if (!look.kernel_function.empty()) {
    text += ", kernel function " + look.kernel_function;
  }
  const std::size_t named = std::min(look.started.size(), kMostNamed);
  for (std::size_t i = 0; i < named; ++i) {
    text += (i == 0 ? "; it has started " : ", ") + look.started[i];
  }
  return text;
}

}  // namespace

HangDiagnosis diagnose(const ThreadLook& first, const ThreadLook& second, Duration between) {
  using enum HangDiagnosis::Finds;
  if (second.state == 't') {
    return {traced, "a debugger has stopped its main thread"};
  }
  if (second.state == 'T') {
    return {stopped, "a signal (SIGSTOP, SIGTSTP) has stopped it"};
  }
  if (first.state == 'T' || first.state == 't') {
    return {resumed, "it was stopped until a moment ago"};
  }
  const Duration used = second.cpu - first.cpu;
  const auto percent = between > 0s ? used.count() * 100 / between.count() : 0;
  if (percent >= kComputingPercent) {
    return {computing, fmt::format("its main thread computes without a pause ({}% of a CPU)",
                                   std::min<std::int64_t>(percent, 100))};
  }
  if (second.state == 'R' && first.state == 'R') {
    return {starved, fmt::format("its main thread would run and hardly gets a CPU ({}%)", percent)};
  }
  return {HangDiagnosis::Finds::waiting, tell_wait(second)};
}

}  // namespace ni
