#include "core/container/limits.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "base/text.h"

namespace ni {
namespace {

__extension__ using Wide = unsigned __int128;

// No machine has so much: a figure at or above it is "no limit". v1 says "none" as LONG_MAX rounded
// to its pages, 0x7FFFFFFFFFFFF000 with pages of 4 KiB, 0x7FFFFFFFFFFF0000 with 64 KiB; other
// readers of the same files 2^64-1.
constexpr std::uint64_t kBeyondMemory = std::uint64_t{1} << 60U;
constexpr std::uint64_t kBeyondCpus = 1'000'000;
// CPU numbers above this are garbage: CONFIG_NR_CPUS is at most 8192 today.
constexpr unsigned kHighestCpu = 1U << 20U;
constexpr std::size_t kMostRanges = 65'536;

Error malformed(std::string_view what, std::string_view text, std::string_view why) {
  return Error{.operation = "parse",
               .subject = std::string(what),
               .code = 0,
               .reason = "'" + printable(trim(text), 60) + "' " + std::string(why)};
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// A number of any length: one that does not fit is as large as can be.
std::optional<std::uint64_t> parse_saturated(std::string_view text) {
  if (!all_digits(text)) {
    return std::nullopt;
  }
  return parse_number<std::uint64_t>(text).value_or(UINT64_MAX);
}

Result<std::optional<CpuQuota>> checked(std::string_view what, std::string_view text,
                                        CpuQuota quota) {
  if (quota.period_us == 0) {
    return malformed(what, text, "has a period of 0");
  }
  if (quota.quota_us == 0) {
    return malformed(what, text, "has a quota of 0");
  }
  if (quota.quota_us / quota.period_us >= kBeyondCpus) {
    return std::optional<CpuQuota>();
  }
  return std::optional<CpuQuota>(quota);
}

std::string_view value_of(std::string_view text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == key) {
      return trim(line.substr(colon + 1));
    }
  }
  return {};
}

}  // namespace

MilliCpu CpuQuota::cpus() const {
  const Wide milli = (Wide{quota_us} * 1000 + period_us / 2) / period_us;
  return MilliCpu{std::max<std::uint64_t>(1, static_cast<std::uint64_t>(milli))};
}

bool CpuQuota::tighter_than(const CpuQuota& other) const {
  return Wide{quota_us} * other.period_us < Wide{other.quota_us} * period_us;
}

Result<std::optional<CpuQuota>> parse_cpu_max(std::string_view text) {
  const auto fields = split_words(first_line(trim(text)));
  if (fields.empty()) {
    return malformed("cpu.max", text, "is empty");
  }
  // "-1" is v1's word for it, which some emulations write here too.
  if (fields[0] == "max" || fields[0] == "-1") {
    return std::optional<CpuQuota>();
  }
  const auto quota = parse_saturated(fields[0]);
  const auto period = fields.size() > 1 ? parse_saturated(fields[1]) : kDefaultPeriodUs;
  if (!quota || !period || fields.size() > 2) {
    return malformed("cpu.max", text, "is not QUOTA PERIOD");
  }
  return checked("cpu.max", text, CpuQuota{.quota_us = *quota, .period_us = *period});
}

Result<std::optional<CpuQuota>> parse_cfs(std::string_view quota,
                                          std::optional<std::string_view> period) {
  constexpr std::string_view kWhat = "cpu.cfs_quota_us";
  const auto text = trim(first_line(trim(quota)));
  if (text.starts_with('-') && all_digits(text.substr(1))) {
    return std::optional<CpuQuota>();
  }
  const auto quota_us = parse_saturated(text);
  if (!quota_us) {
    return malformed(kWhat, quota, "is not a number");
  }
  const auto period_us =
      period ? parse_saturated(trim(first_line(trim(*period)))) : kDefaultPeriodUs;
  if (!period_us) {
    return malformed("cpu.cfs_period_us", *period, "is not a number");
  }
  return checked(kWhat, text, CpuQuota{.quota_us = *quota_us, .period_us = *period_us});
}

Result<std::optional<Bytes>> parse_memory_limit(std::string_view text) {
  const auto value = trim(first_line(trim(text)));
  if (value == "max" || value == "-1") {
    return std::optional<Bytes>();
  }
  const auto bytes = parse_saturated(value);
  if (!bytes) {
    return malformed("memory limit", text, value.empty() ? "is empty" : "is not a number");
  }
  if (*bytes == 0) {
    return malformed("memory limit", text, "allows nothing, yet this process runs");
  }
  return *bytes >= kBeyondMemory ? std::optional<Bytes>() : std::optional<Bytes>(Bytes{*bytes});
}

std::optional<std::uint64_t> parse_stat(std::string_view text, std::string_view key) {
  for (const auto line : split(text, '\n')) {
    const auto words = split_words(line);
    if (words.size() == 2 && words[0] == key) {
      return parse_saturated(words[1]);
    }
  }
  return std::nullopt;
}

std::optional<Bytes> parse_hierarchical_limit(std::string_view memory_stat) {
  const auto bytes = parse_stat(memory_stat, "hierarchical_memory_limit");
  if (!bytes || *bytes == 0 || *bytes >= kBeyondMemory) {
    return std::nullopt;
  }
  return Bytes{*bytes};
}

Result<unsigned> parse_cpu_list(std::string_view text) {
  struct Range {
    unsigned first;
    unsigned last;
  };
  std::vector<Range> ranges;
  for (const auto piece : split(first_line(trim(text)), ',')) {
    const auto range = trim(piece);
    const auto dash = range.find('-');
    const auto first = parse_number<unsigned>(range.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_number<unsigned>(range.substr(dash + 1));
    if (!first || !last || *first > *last || *last > kHighestCpu || ranges.size() >= kMostRanges) {
      return malformed("CPU list", text, trim(text).empty() ? "is empty" : "is not a CPU list");
    }
    ranges.push_back({*first, *last});
  }
  std::ranges::sort(ranges, {}, &Range::first);
  unsigned count = 0;
  unsigned next = 0;  // the first CPU that is not counted yet
  for (const Range& range : ranges) {
    const unsigned first = std::max(range.first, next);
    if (range.last >= first) {
      count += range.last - first + 1;
      next = range.last + 1;
    }
  }
  return count;
}

Result<unsigned> parse_cpu_mask(std::string_view text) {
  unsigned count = 0;
  for (const char c : first_line(trim(text))) {
    const char one[] = {c};
    unsigned digit = 0;
    if (c == ',' || c == '\r') {
      continue;
    }
    if (std::from_chars(one, one + 1, digit, 16).ec != std::errc{}) {
      return malformed("CPU mask", text, "is not a CPU mask");
    }
    count += static_cast<unsigned>(std::popcount(digit));
  }
  if (count == 0) {
    return malformed("CPU mask", text, "names no CPU");
  }
  return count;
}

std::optional<Bytes> parse_mem_total(std::string_view meminfo) {
  const auto words = split_words(value_of(meminfo, "MemTotal"));
  if (words.empty()) {
    return std::nullopt;
  }
  const auto kib = parse_saturated(words[0]);
  if (!kib || *kib == 0 || *kib >= kBeyondMemory / kKiB) {
    return std::nullopt;
  }
  return Bytes{*kib * kKiB};
}

std::optional<unsigned> parse_status_affinity(std::string_view status) {
  if (auto count = parse_cpu_list(value_of(status, "Cpus_allowed_list")); count) {
    return *count;
  }
  if (auto count = parse_cpu_mask(value_of(status, "Cpus_allowed")); count) {
    return *count;
  }
  return std::nullopt;
}

}  // namespace ni
