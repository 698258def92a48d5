#include "core/container/usage.h"

#include "base/text.h"
#include "core/container/limits.h"

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
    return parse_number<std::uint64_t>(first_line(text(name)));
  }
  std::optional<Bytes> bytes(std::string_view name) const {
    const auto value = number(name);
    return value ? std::optional<Bytes>(Bytes{*value}) : std::nullopt;
  }

 private:
  const FileReader& files_;
  std::string directory_;
};

template <class Unit>
std::optional<Duration> time_of(std::optional<std::uint64_t> count) {
  // A kernel that counts for 292 years does not exist; garbage may.
  return count && *count <= static_cast<std::uint64_t>(Duration::max() / Unit(1))
             ? std::optional<Duration>(Unit(static_cast<std::int64_t>(*count)))
             : std::nullopt;
}

void read_cpu(const Reader& own, unsigned version, ContainerUsage& usage) {
  const std::string stat = own.text("cpu.stat");
  usage.periods = parse_stat(stat, "nr_periods");
  usage.throttled_periods = parse_stat(stat, "nr_throttled");
  if (version == 1) {
    using std::chrono::nanoseconds;
    usage.throttled = time_of<nanoseconds>(parse_stat(stat, "throttled_time"));
    // Where cpu and cpuacct are one hierarchy, as they are nearly everywhere.
    usage.cpu = time_of<nanoseconds>(own.number("cpuacct.usage"));
  } else {
    using std::chrono::microseconds;
    usage.throttled = time_of<microseconds>(parse_stat(stat, "throttled_usec"));
    usage.cpu = time_of<microseconds>(parse_stat(stat, "usage_usec"));
  }
}

void read_memory(const Reader& own, unsigned version, ContainerUsage& usage) {
  const auto add = [&usage](std::string_view event, std::optional<std::uint64_t> count) {
    if (count) {
      usage.memory_events.emplace_back(event, *count);
    }
  };
  if (version == 1) {
    usage.memory = own.bytes("memory.usage_in_bytes");
    usage.memory_peak = own.bytes("memory.max_usage_in_bytes");
    add("max", own.number("memory.failcnt"));
    add("oom_kill", parse_oom_kills(own.text("memory.oom_control")));
    return;
  }
  usage.memory = own.bytes("memory.current");
  usage.memory_peak = own.bytes("memory.peak");  // Linux 5.19
  const std::string events = own.text("memory.events");
  for (const std::string_view event : {"low", "high", "max", "oom", "oom_kill"}) {
    add(event, parse_stat(events, event));
  }
}

// Beside v1 controllers the process is often left in the root of the v2 tree, whose pressure is that
// of the whole machine. Every group but the root has this file (cgroup-v2.rst, "Core Interface
// Files").
bool is_whole_machine(const Reader& place, const Hierarchy& controller) {
  return controller.version == 1 && place.text("cgroup.type").empty();
}

}  // namespace

Pressure parse_pressure(std::string_view text) {
  Pressure pressure;
  for (const auto line : split(text, '\n')) {
    const auto words = split_words(line);
    if (words.size() < 2 || !words.back().starts_with("total=")) {
      continue;
    }
    const auto total = time_of<std::chrono::microseconds>(
        parse_number<std::uint64_t>(words.back().substr(std::string_view("total=").size())));
    if (words.front() == "some") {
      pressure.some = total;
    } else if (words.front() == "full") {
      pressure.full = total;
    }
  }
  return pressure;
}

ContainerUsage read_usage(const FileReader& files, const Resources& resources) {
  ContainerUsage usage;
  read_cpu(Reader(files, resources.cpu_directory()), resources.cpu_hierarchy.version, usage);
  read_memory(Reader(files, resources.memory_directory()), resources.memory_hierarchy.version,
              usage);
  for (const std::string_view resource : {"cpu", "memory", "io"}) {
    const Reader place(files, resources.pressure_directory(resource));
    if (is_whole_machine(
            place, resource == "memory" ? resources.memory_hierarchy : resources.cpu_hierarchy)) {
      continue;
    }
    Pressure pressure = parse_pressure(place.text(std::string(resource) + ".pressure"));
    if (pressure.some || pressure.full) {
      pressure.resource = resource;
      usage.pressure.push_back(std::move(pressure));
    }
  }
  return usage;
}

std::string oom_counter_path(const Resources& resources) {
  const Hierarchy& place = resources.memory_hierarchy;
  if (!place.found()) {
    return {};
  }
  return place.levels.front() + (place.version == 1 ? "/memory.oom_control" : "/memory.events");
}

std::optional<std::uint64_t> parse_oom_kills(std::string_view text) {
  return parse_stat(text, "oom_kill");
}

}  // namespace ni
