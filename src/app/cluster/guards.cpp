#include "app/cluster/guards.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "sys/main_thread.h"
#include "sys/proc_sample.h"

namespace ni::app {
namespace {

// What counts against its limit: its share of what is shared with others. Resident memory is never
// less and costs next to nothing, so that the dear file is read only where it decides.
Bytes memory_of(Pid pid, Bytes resident, Bytes allowed) {
  if (resident <= allowed) {
    return resident;
  }
  const auto proportional = sys::proportional_memory(pid);
  return proportional ? *proportional : resident;
}

}  // namespace

void Guards::deployed(Instant now) {
  const bool any = std::ranges::any_of(deployment_.programs, [](const DeployedProgram& program) {
    return program.memory_allowed || program.config.max_loop_delay;
  });
  if (!any) {
    next_look_.reset();
  } else if (!next_look_) {
    next_look_ = now + kEvery;
  }
}

void Guards::suspect(const event::Unresponsive& silent, Instant now) {
  const auto worker = supervisor_.workers().find(silent.worker);
  if (worker != supervisor_.workers().end() && worker->second.pid) {
    hangs_.suspect(silent, *worker->second.pid, now);
  }
}

std::optional<Instant> Guards::next_deadline() const {
  const auto hang = hangs_.next_deadline();
  if (hang && next_look_) {
    return std::min(*hang, *next_look_);
  }
  return hang ? hang : next_look_;
}

void Guards::forget(Incarnation worker) {
  hangs_.forget(worker);
  memory_.forget(worker);
}

void Guards::act(Instant now) {
  examine_hangs(now);
  if (!next_look_ || *next_look_ > now) {
    return;
  }
  next_look_ = now + kEvery;
  look_at_memory();
  for (const DeployedProgram& program : deployment_.programs) {
    look_at_loops(program, now);
  }
}

void Guards::examine_hangs(Instant now) {
  using enum HangDiagnosis::Finds;
  for (HangExaminer::Finding& finding : hangs_.take_due(now)) {
    const Incarnation worker = finding.event.worker;
    if (!hooks_.is_unresponsive(worker)) {
      continue;  // it has answered after all
    }
    const bool spared = finding.finds == traced || finding.finds == resumed ||
                        (finding.finds == stopped && container_is_stopped());
    if (spared) {
      log_.warn("worker_stopped", fmt::format("worker {} does not answer, but {}: it is not ended",
                                              worker.value, finding.event.diagnosis));
      hooks_.excuse(worker);
      continue;
    }
    hooks_.post(std::move(finding.event));
  }
}

// Every worker was stopped, so that somebody has done it on purpose (SIGTSTP from the terminal or to
// PID 1, kill -STOP -1).
bool Guards::container_is_stopped() const {
  return std::ranges::all_of(supervisor_.workers(), [](const auto& entry) {
    return !entry.second.pid || sys::state_of(*entry.second.pid) == 'T';
  });
}

void Guards::look_at_memory() {
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    const auto allowed = deployment_.of(worker.program).memory_allowed;
    const auto sample = allowed && worker.pid && worker.is_ready()
                            ? sys::sample_process(*worker.pid)
                            : Result<sys::ProcSample>(Error{});
    if (!sample) {
      memory_.forget(incarnation);
      continue;
    }
    const Bytes used = memory_of(*worker.pid, sample->resident, *allowed);
    if (memory_.look(incarnation, used, *allowed)) {
      hooks_.post(event::OverMemory{.worker = incarnation, .used = used, .allowed = *allowed});
    }
  }
}

void Guards::look_at_loops(const DeployedProgram& program, Instant now) {
  if (!program.config.max_loop_delay) {
    loops_.erase(program.id);
    return;
  }
  std::vector<LoopGuard::Look> looks;
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    if (worker.program == program.id && worker.is_ready()) {
      looks.push_back({incarnation, hooks_.loop_delay(incarnation)});
    }
  }
  const LoopDelayLimit& limit = *program.config.max_loop_delay;
  const auto found = loops_[program.id].look(looks, limit, now);
  if (found.slow) {
    hooks_.post(event::SlowLoop{.worker = found.slow->worker, .delay = found.slow->delay});
  }
  if (found.all_are) {
    log_.warn("all_slow",
              fmt::format("{}: the event loops of all {} workers have taken longer than {} for {} "
                          "or more: that is load, and none is replaced for it",
                          program.config.name, looks.size(), format_duration(limit.delay),
                          format_duration(limit.lasting)));
  }
}

}  // namespace ni::app
