#include "app/container_figures.h"

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/limits.h"
#include "sys/read_file.h"

namespace ni::app {
namespace {

std::optional<std::string> text_of(const std::string& directory, std::string_view file) {
  if (directory.empty()) {
    return std::nullopt;
  }
  auto text = sys::read_file(directory + "/" + std::string(file));
  return text ? std::optional(*std::move(text)) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const std::string& directory, std::string_view file) {
  const auto text = text_of(directory, file);
  return text ? parse_number<std::uint64_t>(first_line(*text)) : std::nullopt;
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=123456" (microseconds), kernel Documentation/accounting/psi.rst.
std::optional<Duration> pressure_total(std::string_view text, std::string_view who) {
  for (const std::string_view line : split(text, '\n')) {
    const auto words = split_words(line);
    if (words.size() < 2 || words.front() != who || !words.back().starts_with("total=")) {
      continue;
    }
    if (const auto total = parse_number<std::uint64_t>(words.back().substr(6))) {
      return std::chrono::microseconds(*total);
    }
  }
  return std::nullopt;
}

}  // namespace

ContainerFigures container_figures(const Resources& resources) {
  ContainerFigures figures;
  figures.cpus = resources.cpus.value;
  if (resources.memory) {
    figures.memory_limit = resources.memory->value;
  }
  const std::string memory = resources.memory_directory();
  auto used = number_in(memory, "memory.current");
  if (!used) {
    used = number_in(memory, "memory.usage_in_bytes");  // v1
  }
  if (used) {
    figures.memory_used = Bytes{*used};
  }
  const std::string cpu = resources.cpu_directory();
  if (const auto text = text_of(cpu, "cpu.stat")) {
    figures.periods = parse_stat(*text, "nr_periods");
    figures.throttled_periods = parse_stat(*text, "nr_throttled");
    if (const auto v2 = parse_stat(*text, "throttled_usec")) {
      figures.throttled = std::chrono::microseconds(*v2);
    } else if (const auto v1 = parse_stat(*text, "throttled_time")) {
      figures.throttled = std::chrono::nanoseconds(*v1);
    }
  }
  for (const std::string_view resource : {"cpu", "memory", "io"}) {
    const auto text = text_of(cpu, std::string(resource) + ".pressure");
    if (text) {
      figures.pressure.push_back({.resource = std::string(resource),
                                  .some = pressure_total(*text, "some"),
                                  .full = pressure_total(*text, "full")});
    }
  }
  if (const auto text = text_of(memory, "memory.events")) {
    for (const std::string_view event : {"low", "high", "max", "oom", "oom_kill"}) {
      if (const auto count = parse_stat(*text, event)) {
        figures.memory_events.emplace_back(event, *count);
      }
    }
  }
  return figures;
}

}  // namespace ni::app
