#include "core/sizing/shares.h"

#include <algorithm>

#include "core/sizing/plan.h"

namespace ni {
namespace {

bool is_fixed(const ProgramConfig& program) {
  return program.workers.kind == WorkerCount::Kind::exactly;
}

}  // namespace

std::vector<ContainerPart> share_out(std::span<const ProgramConfig> programs, MilliCpu cpus) {
  std::vector<ContainerPart> parts(programs.size());
  if (programs.size() < 2) {
    // One alone has all of the container, unless it was told to leave some of the memory.
    if (!programs.empty() && programs.front().share) {
      parts.front().memory = *programs.front().share * 10;
    }
    return parts;
  }
  const auto elastic = static_cast<unsigned>(std::ranges::count_if(
      programs, [](const ProgramConfig& program) { return !is_fixed(program); }));
  const unsigned cpu_part = std::max(1U, 1000U / std::max(1U, elastic));
  const auto weight = [&](const ProgramConfig& program) {
    return is_fixed(program) ? program.workers.amount
                             : workers_for_cpus(MilliCpu{cpus.value * cpu_part / 1000});
  };
  unsigned named = 0;    // thousandths that were asked for by name
  unsigned workers = 0;  // of the programs that name no share
  for (const ProgramConfig& program : programs) {
    named += program.share.value_or(0) * 10;
    workers += program.share ? 0 : weight(program);
  }
  const unsigned rest = named < 1000 ? 1000 - named : 0;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const ProgramConfig& program = programs[i];
    parts[i].cpu = is_fixed(program) ? 1000 : cpu_part;
    const unsigned memory = program.share ? *program.share * 10
                            : workers > 0 ? rest * weight(program) / workers
                                          : rest;
    parts[i].memory = std::max(1U, memory);
  }
  return parts;
}

}  // namespace ni
