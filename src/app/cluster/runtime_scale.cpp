// The runtime and people who want another number of workers: what each may have is planned anew.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "base/text.h"

namespace ni::app {
namespace {

std::string heaps_line(const Plan& before, const Plan& now) {
  const auto mib = [](const Plan& plan) { return plan.heap ? plan.heap->old_space_mib : 0; };
  if (!now.heap || mib(before) == mib(now)) {
    return {};
  }
  return before.heap ? fmt::format(", heap {} → {} MiB each", mib(before), mib(now))
                     : fmt::format(", heap {} MiB each", mib(now));
}

}  // namespace

// Several wishes of one turn are one.
void Runtime::want_workers(ProgramId program, unsigned workers, std::string_view asked_by) {
  wanted_workers_[program] = {.workers = std::clamp(workers, 1U, kMostWorkers),
                              .asked_by = std::string(asked_by)};
}

void Runtime::want_more_workers(ProgramId program, int more, std::string_view asked_by) {
  const auto known = wanted_workers_.find(program);
  const unsigned now = known != wanted_workers_.end()
                           ? known->second.workers
                           : deployment_.of(program).plan.fit(target_of(program));
  want_workers(program, static_cast<unsigned>(std::max(static_cast<int>(now) + more, 1)), asked_by);
}

void Runtime::scale_as_wanted() {
  for (const auto& [program, wanted] : std::exchange(wanted_workers_, {})) {
    scale(deployment_.of(program), wanted);
  }
}

void Runtime::scale(DeployedProgram& program, const WantedWorkers& wanted) {
  const unsigned before = program.plan.fit(target_of(program.id));
  program.asked.reset();
  if (wanted.workers != program.planned_workers) {
    program.asked = {.workers = wanted.workers, .instead_of = program.planned_workers};
  }
  auto deployment = deploy_again(invocation_, resources_);
  if (!deployment || deployment->of(program.id).plan.workers != wanted.workers) {
    // A file that the configuration needs is gone, say: a reload would tell. The number is followed.
    post(event::TargetChanged{.program = program.id, .workers = wanted.workers});
    return;
  }
  DeployedProgram& planned = deployment->of(program.id);
  const Plan old = std::exchange(program.plan, std::move(planned.plan));
  program.take_launcher(planned);
  post(event::TargetChanged{.program = program.id, .workers = wanted.workers});
  const std::size_t too_large = replace_larger_heaps(program, wanted.workers);
  const std::string replaced =
      too_large == 0
          ? ""
          : fmt::format("; {} {} with a larger heap {} replaced, one at a time", too_large,
                        too_large == 1 ? "worker" : "workers", too_large == 1 ? "is" : "are");
  const std::string name = deployment_.programs.size() > 1 ? program.config.name + " " : "";
  report({.level = LogLevel::info,
          .event = "scaled",
          .message = fmt::format("scaled ({}): {}{} → {} workers{}{}", wanted.asked_by, name,
                                 before, wanted.workers, heaps_line(old, program.plan), replaced),
          .program = {},
          .slot = {},
          .pid = {}});
  if (program.plan.warnings != old.warnings) {
    for (const std::string& warning : program.plan.warnings) {
      log_.warn("limits", warning);
    }
  }
  set_guards();
  if (limits_) {
    limits_->restart(deployment_.plans());
  }
}

// Within the plan: heaps are for the most.
void Runtime::scale_by_load(const DeployedProgram& program, unsigned wanted,
                            const std::string& why) {
  const std::string name = deployment_.programs.size() > 1 ? program.config.name + " " : "";
  report({.level = LogLevel::info,
          .event = "scaled",
          .message = fmt::format("scaled (load): {}{} → {} workers: {}", name,
                                 target_of(program.id), wanted, why),
          .program = {},
          .slot = {},
          .pid = {}});
  post(event::TargetChanged{.program = program.id, .workers = wanted});
}

// More workers in the same memory leave less to each: those that were started with a heap that is
// clearly larger give way, of slots that stay. A number of them.
std::size_t Runtime::replace_larger_heaps(const DeployedProgram& program, unsigned slots) {
  if (!program.plan.heap || !resources_.memory_limit) {
    return 0;
  }
  const unsigned most = program.plan.heap->old_space_mib + program.plan.heap->old_space_mib / 20;
  std::size_t count = 0;
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    const auto heap = heap_mib_.find(incarnation);
    const bool stays = worker.is_rising() && (worker.spare || worker.slot.value < slots);
    if (worker.program == program.id && stays && heap != heap_mib_.end() && heap->second > most) {
      post(event::HeapTooLarge{incarnation});
      ++count;
    }
  }
  return count;
}

}  // namespace ni::app
