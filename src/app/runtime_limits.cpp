// The runtime and the container's limits: live changes, and deaths that memory has caused.

#include <algorithm>

#include <fmt/format.h>

#include "app/container_files.h"
#include "app/explain.h"
#include "app/runtime.h"
#include "sys/clock.h"

namespace ni::app {

void Runtime::follow_limits() {
  auto resized = limits_ ? limits_->take_due(sys::now()) : std::nullopt;
  if (!resized) {
    return;
  }
  resources_ = std::move(resized->resources);
  launchers_ = std::move(resized->prepared.launchers);
  bool replace = false;
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    const bool other_number = resized->prepared.plans[i].workers != plans_[i].workers;
    plans_[i] = std::move(resized->prepared.plans[i]);
    const auto& decision = resized->decisions[i];
    if (!decision) {
      continue;
    }
    log_.info("resized", fmt::format("the container was resized: {}; {}", decision->reason,
                                     limits_line(resources_, plans_[i])));
    if (other_number) {
      post(event::TargetChanged{.program = ProgramId{static_cast<std::uint32_t>(i)},
                                .workers = decision->workers});
    }
    replace = replace || decision->replace_workers;
  }
  set_guards();
  if (replace) {
    post(event::ReloadAsked{});
  }
}

bool Runtime::judge_memory(const sys::Ended& ended) {
  if (!ended.status.by_signal() && ended.status.success()) {
    return false;
  }
  const bool out_of_memory =
      ended.status.was(signals::kill) && oom_ledger_.claim(ended.status, oom_kills());
  const auto& workers = supervisor_.workers();
  const auto found = std::ranges::find_if(
      workers, [&ended](const auto& entry) { return entry.second.pid == ended.pid; });
  if (found == workers.end()) {
    return out_of_memory;  // an orphan
  }
  const Worker& worker = found->second;
  const auto verdict = judge_death(ended.status, out_of_memory, resources_,
                                   plans_[worker.program.value], std::nullopt);
  const bool by_us = worker.had_to_kill && verdict.death == MemoryDeath::killed;
  if (!verdict.message.empty() && !by_us) {
    log_.error("worker_memory", fmt::format("slot {}: {}", worker.slot.value, verdict.message),
               {{"slot", worker.slot.value}, {"pid", ended.pid.value()}});
  }
  return out_of_memory;
}

std::optional<std::uint64_t> Runtime::oom_kills() const {
  const auto text = ContainerFiles().read(oom_counter_);
  return text ? parse_oom_kills(*text) : std::nullopt;
}

}  // namespace ni::app
