#include "core/usage.h"

#include <string>

#include "base/text.h"
#include "core/limits.h"
#include "core/oom.h"

namespace ni {
namespace {

class Reader {
 public:
  Reader(const FileReader& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  std::string text(std::string_view name) const {
    if (directory_.empty()) {
      return {};
    }
    return files_.read(directory_ + "/" + std::string(name)).value_or({});
  }
  std::optional<std::uint64_t> number(std::string_view name) const {
    return parse_number<std::uint64_t>(trim(text(name)));
  }
  std::optional<Bytes> bytes(std::string_view name) const {
    const auto value = number(name);
    return value ? std::optional<Bytes>(Bytes{*value}) : std::nullopt;
  }

 private:
  const FileReader& files_;
  std::string directory_;
};

// v1 counts in nanoseconds what v2 counts in microseconds.
std::optional<std::uint64_t> to_us(std::optional<std::uint64_t> nanoseconds) {
  return nanoseconds ? std::optional<std::uint64_t>(*nanoseconds / 1000) : std::nullopt;
}

}  // namespace

std::optional<Pressure> parse_pressure(std::string_view text) {
  for (const auto line : split(text, '\n')) {
    const auto words = split_words(line);
    if (words.size() < 5 || words[0] != "some" || !words[1].starts_with("avg10=") ||
        !words[4].starts_with("total=")) {
      continue;
    }
    const auto average = words[1].substr(6);
    const auto dot = average.find('.');
    const auto whole = parse_number<unsigned>(average.substr(0, dot));
    const auto hundredths = dot == std::string_view::npos
                                ? std::optional<unsigned>(0)
                                : parse_number<unsigned>(average.substr(dot + 1));
    const auto total = parse_number<std::uint64_t>(words[4].substr(6));
    if (whole && hundredths && total && *whole <= 100 && *hundredths < 100) {
      return Pressure{*whole * 100 + *hundredths, *total};
    }
  }
  return std::nullopt;
}

ContainerUsage read_usage(const FileReader& files, const Resources& resources) {
  ContainerUsage usage;
  const Reader cpu(files, resources.cpu_directory());
  const std::string cpu_stat = cpu.text("cpu.stat");
  usage.periods = parse_stat(cpu_stat, "nr_periods");
  usage.throttled_periods = parse_stat(cpu_stat, "nr_throttled");
  if (resources.cpu_hierarchy.version == 1) {
    usage.throttled_us = to_us(parse_stat(cpu_stat, "throttled_time"));
    usage.cpu_us = to_us(cpu.number("cpuacct.usage"));  // where cpu and cpuacct are one hierarchy
  } else {
    usage.throttled_us = parse_stat(cpu_stat, "throttled_usec");
    usage.cpu_us = parse_stat(cpu_stat, "usage_usec");
  }
  usage.cpu_pressure = parse_pressure(cpu.text("cpu.pressure"));

  const Reader memory(files, resources.memory_directory());
  if (resources.memory_hierarchy.version == 1) {
    usage.memory = memory.bytes("memory.usage_in_bytes");
    usage.memory_peak = memory.bytes("memory.max_usage_in_bytes");
    usage.memory_max_events = memory.number("memory.failcnt");
    usage.oom_kills = parse_oom_kills(memory.text("memory.oom_control"));
  } else {
    const std::string events = memory.text("memory.events");
    usage.memory = memory.bytes("memory.current");
    usage.memory_peak = memory.bytes("memory.peak");
    usage.memory_high_events = parse_stat(events, "high");
    usage.memory_max_events = parse_stat(events, "max");
    usage.oom_kills = parse_oom_kills(events);
  }
  usage.memory_pressure = parse_pressure(memory.text("memory.pressure"));
  return usage;
}

}  // namespace ni
