// The runtime and the container's limits: live changes, and deaths that memory has caused.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "app/invocation/container_files.h"
#include "base/printable_path.h"
#include "base/text.h"
#include "core/sizing/explain.h"
#include "sys/clock.h"
#include "sys/reap.h"

namespace ni::app {

Result<Deployment> Runtime::plan_for(const Resources& now) {
  const auto before = resources_.memory;
  resources_ = now;
  if (auto counter = oom_counter_path(resources_); counter != oom_counter_) {
    oom_counter_ = std::move(counter);  // moved to another group
    oom_ledger_ = OomLedger(oom_kills());
  }
  auto deployment = deploy_again(invocation_, resources_);
  const bool larger = before && resources_.memory && before->value < resources_.memory->value;
  if (larger && deployment_.container.resize != FollowResize::reload) {
    log_.info("memory_grown",
              fmt::format("the memory limit is now {} ({}): the workers' heaps stay as they are "
                          "until a reload; NODEINIT_RESIZE=reload does one",
                          format_size(resources_.memory->value),
                          printable_path(resources_.memory->source)));
  }
  return deployment;
}

void Runtime::set_limits() {
  limits_.reset();
  if (deployment_.container.resize != FollowResize::off) {
    const ResizePolicy policy{.follow_larger_memory =
                                  deployment_.container.resize == FollowResize::reload};
    limits_.emplace(
        loop_, resources_, deployment_.plans(), policy,
        [this](const Resources& now) { return plan_for(now); },
        [this] { next_kill_look_ = next_kill_look_.value_or(sys::now()); });
  }
}

void Runtime::follow_limits() {
  auto resized = limits_ ? limits_->take_due(sys::now()) : std::nullopt;
  if (!resized) {
    return;
  }
  bool replace = false;
  for (DeployedProgram& program : deployment_.programs) {
    const auto& decision = resized->decisions[program.id.value];
    if (!decision) {
      continue;  // the plan of another program, or one that is not stable yet
    }
    const bool other_number = decision->workers != program.plan.workers;
    DeployedProgram& planned = resized->deployment.of(program.id);
    program.plan = std::move(planned.plan);
    program.planned_workers = planned.planned_workers;
    program.asked = planned.asked;
    program.take_launcher(planned);
    log_.info("resized", fmt::format("the container was resized: {}; {}", decision->reason,
                                     limits_line(resources_, program.plan)));
    if (other_number) {
      post(event::TargetChanged{.program = program.id,
                                .workers = program.plan.fit(target_of(program.id))});
    }
    replace = replace || decision->replace_workers;
  }
  set_guards();
  if (replace) {
    post(event::ReloadAsked{});
  }
}

bool Runtime::judge_memory(const sys::Ended& ended, const std::string& last_words) {
  if (!ended.status.by_signal() && ended.status.success()) {
    return false;
  }
  const bool out_of_memory =
      ended.status.was(signals::kill) && oom_ledger_.claim(ended.status, oom_kills());
  const auto& workers = supervisor_.workers();
  const auto found = std::ranges::find_if(
      workers, [&ended](const auto& entry) { return entry.second.pid == ended.pid; });
  if (found == workers.end()) {
    if (out_of_memory) {  // an orphan, or a hook
      tell_of_killed(1);
    }
    return out_of_memory;
  }
  const Worker& worker = found->second;
  const auto verdict = judge_death({.status = ended.status,
                                    .out_of_memory = out_of_memory,
                                    .peak_memory = ended.peak_memory,
                                    .last_words = last_words},
                                   resources_, deployment_.of(worker.program).plan);
  const bool by_us = worker.had_to_kill && verdict.death == MemoryDeath::killed;
  if (!verdict.message.empty() && !by_us) {
    termination_.trouble(fmt::format("slot {}: {}", worker.slot.value, verdict.message));
    log_.error("worker_memory", fmt::format("slot {}: {}", worker.slot.value, verdict.message),
               {{"slot", worker.slot.value}, {"pid", ended.pid.value()}});
  }
  return out_of_memory;
}

// The kernel counts before it kills, and who dies of it needs a moment until it can be reaped. Where
// nobody of ours is on that way the one killed belonged to somebody else, who has waited for it: then
// it is told, and explains no later SIGKILL.
void Runtime::look_for_kills() {
  constexpr Duration kUntilSure = 200ms;
  const Instant now = sys::now();
  if (!next_kill_look_ || *next_kill_look_ > now) {
    return;
  }
  next_kill_look_.reset();
  const auto kills = oom_kills();
  if (oom_ledger_.unexplained(kills) == 0) {
    kill_seen_ = false;
    return;
  }
  const bool a_worker_is_ending = std::ranges::any_of(supervisor_.workers(), [](const auto& entry) {
    return entry.second.pid && sys::is_ending(*entry.second.pid);
  });
  std::uint64_t others = 0;
  if (std::exchange(kill_seen_, true)) {
    others = a_worker_is_ending ? oom_ledger_.settle(kills, now) : oom_ledger_.settle_all(kills);
  }
  if (others > 0) {
    kill_seen_ = false;
    tell_of_killed(others);
  } else {
    next_kill_look_ = now + kUntilSure;
  }
}

void Runtime::tell_of_killed(std::uint64_t others) {
  report({.level = LogLevel::warn,
          .event = "other_oom_killed",
          .message = tell_of_others(others, resources_),
          .program = {},
          .slot = {},
          .pid = {}});
}

std::optional<std::uint64_t> Runtime::oom_kills() const {
  const auto text = ContainerFiles().read(oom_counter_);
  return text ? parse_oom_kills(*text) : std::nullopt;
}

}  // namespace ni::app
