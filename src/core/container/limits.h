#pragma once

// The values in limit files of cgroup v1 and v2, /proc/meminfo and /proc/self/status. Each function
// takes the text of one file, blanks and line ends around it allowed, and gives a value, "no
// limit", or an error that says what is wrong with it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace ni {

// CPU time per period, in microseconds; both are above 0. 150000 per 100000 is one and a half CPUs.
struct CpuQuota {
  std::uint64_t quota_us = 0;
  std::uint64_t period_us = 100'000;

  MilliCpu cpus() const;  // rounded to the nearest thousandth, at least one
  double exact() const { return static_cast<double>(quota_us) / static_cast<double>(period_us); }
  bool tighter_than(const CpuQuota& other) const;
  bool operator==(const CpuQuota&) const = default;
};

// The kernel's period when none is told (sched_cfs_period: default_cfs_period(), 100 ms).
inline constexpr std::uint64_t kDefaultPeriodUs = 100'000;

// cpu.max of v2: "max", "max 100000", "150000 100000", "150000". nullopt: no limit.
Result<std::optional<CpuQuota>> parse_cpu_max(std::string_view text);

// cpu.cfs_quota_us and cpu.cfs_period_us of v1; a quota of -1 is no limit; `period` is nullopt when
// the file is missing.
Result<std::optional<CpuQuota>> parse_cfs(std::string_view quota,
                                          std::optional<std::string_view> period);

// memory.max, memory.high of v2 ("max" or bytes); memory.limit_in_bytes of v1 (bytes; "no limit" is
// a number near 2^63).
Result<std::optional<Bytes>> parse_memory_limit(std::string_view text);

// The value of `key` in a file of "key value" lines (memory.stat, cpu.stat, memory.events);
// nullopt: not there, or no number.
std::optional<std::uint64_t> parse_stat(std::string_view text, std::string_view key);

// hierarchical_memory_limit of v1's memory.stat: the tightest limit up to the real root, hidden
// parents included.
std::optional<Bytes> parse_hierarchical_limit(std::string_view memory_stat);

// How many CPUs a list "0-3,8,10-11" names, each once. Error: empty or malformed.
Result<unsigned> parse_cpu_list(std::string_view text);

// How many CPUs a mask "ffffffff,0000000f" names. Error: empty or malformed.
Result<unsigned> parse_cpu_mask(std::string_view text);

// MemTotal of /proc/meminfo; nullopt: not there.
std::optional<Bytes> parse_mem_total(std::string_view meminfo);

// The affinity in /proc/self/status: Cpus_allowed_list, else Cpus_allowed; nullopt: neither is
// there.
std::optional<unsigned> parse_status_affinity(std::string_view status);

}  // namespace ni
