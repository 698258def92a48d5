#pragma once

// What the container uses and how it is held back, at the level whose limit binds: for metrics.
// Every figure is optional, because no kernel has them all.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/types.h"
#include "core/file_reader.h"
#include "core/resources.h"

namespace ni {

// One line of a pressure file: "some avg10=0.12 avg60=… avg300=… total=1234"
// (Documentation/accounting/psi.rst).
struct Pressure {
  unsigned avg10_percent_hundredths = 0;  // 12 is 0.12 %
  std::uint64_t total_us = 0;
};

struct ContainerUsage {
  std::optional<std::uint64_t> cpu_us;
  std::optional<std::uint64_t> periods;
  std::optional<std::uint64_t> throttled_periods;
  std::optional<std::uint64_t> throttled_us;
  std::optional<Bytes> memory;
  std::optional<Bytes> memory_peak;
  std::optional<std::uint64_t> memory_high_events;
  std::optional<std::uint64_t> memory_max_events;  // v1: memory.failcnt
  std::optional<std::uint64_t> oom_kills;
  std::optional<Pressure> cpu_pressure;     // some
  std::optional<Pressure> memory_pressure;  // some
};

ContainerUsage read_usage(const FileReader& files, const Resources& resources);

std::optional<Pressure> parse_pressure(std::string_view text);

}  // namespace ni
