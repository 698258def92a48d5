#include "core/sizing/explain.h"

#include <iterator>

#include <fmt/format.h>

#include "base/printable_path.h"
#include "base/text.h"
#include "core/settings/command_text.h"
#include "core/sizing/heap.h"

namespace ni {
namespace {

class Page {
 public:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void blank() { text_ += '\n'; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string cpus_text(MilliCpu cpus) {
  return fmt::format("{} CPU{}", format_cpus(cpus), cpus.value == 1000 ? "" : "s");
}

void add_place(Page& page, const Hierarchy& place) {
  if (!place.found()) {
    page.line("  {}", place.how);
    return;
  }
  page.line("  cgroup v{}: {}{}", place.version, place.how,
            place.approximate ? "  (approximate)" : "");
  for (const auto& level : place.levels) {
    page.line("    level {}", printable_path(level));
  }
}

void add_findings(Page& page, const Resources& resources, Controller controller) {
  for (const Finding& finding : resources.findings) {
    if (finding.controller == controller) {
      page.line("  {:<12}{} = {}{}{}", to_string(finding.verdict), printable_path(finding.path),
                finding.text.empty() ? "?" : finding.text, finding.note.empty() ? "" : "  # ",
                finding.note);
    }
  }
}

void add_count(Page& page, std::string_view name, const std::optional<Sourced<unsigned>>& count) {
  if (count) {
    page.line("  {:<12}{} ({})", name, plural(count->value, "CPU"), printable_path(count->source));
  } else {
    page.line("  {:<12}not told", name);
  }
}

void add_cpu(Page& page, const Resources& resources) {
  page.line("CPU");
  add_place(page, resources.cpu_hierarchy);
  add_findings(page, resources, Controller::cpu);
  if (!resources.cpu_quota) {
    page.line("  {:<12}none at any visible level", "quota");
  }
  add_findings(page, resources, Controller::cpuset);
  add_count(page, "cpuset", resources.cpuset);
  add_count(page, "affinity", resources.affinity);
  add_count(page, "machine", resources.machine_cpus);
  page.line("  = {} to use, by {}", cpus_text(resources.cpus.value),
            printable_path(resources.cpus.source));
}

void add_memory(Page& page, const Resources& resources) {
  page.line("Memory");
  add_place(page, resources.memory_hierarchy);
  add_findings(page, resources, Controller::memory);
  if (!resources.memory_limit) {
    page.line("  {:<12}none at any visible level", "limit");
  }
  if (resources.machine_memory) {
    page.line("  {:<12}{} ({})", "machine", format_size(resources.machine_memory->value),
              printable_path(resources.machine_memory->source));
  }
  if (resources.memory && !resources.memory_limit) {
    page.line("  = no limit; heaps are not sized above the machine's {}, which others use, too",
              format_size(resources.memory->value));
  } else if (resources.memory) {
    page.line("  = {} to use, by {}", format_size(resources.memory->value),
              printable_path(resources.memory->source));
  } else {
    page.line("  = not known");
  }
}

void add_program(Page& page, const ProgramConfig& program, const Plan& plan) {
  page.line("Plan{}{}", program.command.empty() ? "" : " for ",
            program.command.empty() ? "" : printable(join_command(program.command)));
  for (const auto& step : plan.steps) {
    page.line("  {}", step);
  }
  for (const auto& step : plan.heap_steps) {
    page.line("  {}", step);
  }
  if (plan.heap) {
    std::string flags;
    for (const auto& flag : heap_flags(*plan.heap)) {
      flags += " " + flag;
    }
    const bool into_argv = program.command.empty() || is_node(program.command.front());
    page.line("  given by {}:{}", into_argv ? "node's arguments" : "NODE_OPTIONS", flags);
  }
  if (plan.workers > 1) {
    page.line(
        "  {} times in the container: what the program has once, as database pools, caches, rate "
        "limits, timers and thread pools",
        plan.workers);
  }
  for (const auto& warning : plan.warnings) {
    page.line("  warning: {}", warning);
  }
}

}  // namespace

std::string limits_line(const Resources& resources, const Plan& plan) {
  std::string line = "limits: ";
  if (!resources.cpus_narrowed) {
    line += "no CPU limit, ";
  }
  line += fmt::format("{} ({}), ", cpus_text(resources.cpus.value),
                      printable_path(resources.cpus.source));
  if (resources.memory_limit) {
    line += fmt::format("{} ({})", format_size(resources.memory->value),
                        printable_path(resources.memory->source));
  } else {
    line += "no memory limit";
  }
  const std::string from = plan.follows_load() ? fmt::format("{} to ", plan.least_workers) : "";
  line += fmt::format(" → {}{}", from, plural(plan.workers, "worker"));
  if (plan.heap) {
    line +=
        fmt::format(", heap {} MiB{}", plan.heap->old_space_mib, plan.workers == 1 ? "" : " each");
  }
  return line;
}

std::string explain_text(const Resources& resources, const Config& config,
                         std::span<const Plan> plans) {
  Page page;
  for (const Plan& plan : plans) {
    page.line("{}", limits_line(resources, plan));
  }
  page.blank();
  add_cpu(page, resources);
  page.blank();
  add_memory(page, resources);
  if (!resources.notes.empty()) {
    page.blank();
    page.line("Notes");
    for (const auto& note : resources.notes) {
      page.line("  {}", note);
    }
  }
  for (std::size_t i = 0; i < plans.size() && i < config.programs.size(); ++i) {
    page.blank();
    add_program(page, config.programs[i], plans[i]);
  }
  return page.take();
}

}  // namespace ni
