#pragma once

// What the container uses and how it is held back, for metrics and status: CPU figures in the
// directory whose quota binds, memory figures in that whose limit binds (the limit may be on the pod
// and be used up by a neighbour), the process's own group where nothing binds. Every figure is
// optional, because no kernel has them all.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_reader.h"
#include "base/types.h"
#include "core/container/resources.h"

namespace ni {

// A pressure file, "some avg10=0.12 avg60=… avg300=… total=1234" and "full …"
// (Documentation/accounting/psi.rst): time in which some, or all, of the processes waited.
struct Pressure {
  std::string resource = {};  // "cpu", "memory", "io"
  std::optional<Duration> some;
  std::optional<Duration> full;
};

struct ContainerUsage {
  std::optional<Duration> cpu;
  std::optional<std::uint64_t> periods;
  std::optional<std::uint64_t> throttled_periods;
  std::optional<Duration> throttled;
  std::optional<Bytes> memory;
  std::optional<Bytes> memory_peak;
  // Of memory.events: low, high, max, oom, oom_kill. v1 knows two of them: max (memory.failcnt) and
  // oom_kill (memory.oom_control).
  std::vector<std::pair<std::string, std::uint64_t>> memory_events;
  std::vector<Pressure> pressure;  // only resources whose file is there
};

ContainerUsage read_usage(const FileReader& files, const Resources& resources);

// The file with the kernel's counter of OOM kills in our own group; empty: there is none.
std::string oom_counter_path(const Resources& resources);
// The counter in it; nullopt: not there (v1 before Linux 4.13).
std::optional<std::uint64_t> parse_oom_kills(std::string_view text);

// Neither time is set when the text is none of a pressure file.
Pressure parse_pressure(std::string_view text);

}  // namespace ni
