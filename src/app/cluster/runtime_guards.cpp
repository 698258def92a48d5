// The runtime's guards: workers that hang, workers that use too much memory.

#include <algorithm>

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/main_thread.h"
#include "sys/proc_sample.h"

namespace ni::app {
namespace {

// Often enough for the guard; seldom for metrics alone; never for nobody.
Duration ping_interval(Duration hang_timeout, bool measured) {
  if (hang_timeout > 0s) {
    return std::clamp<Duration>(hang_timeout / 4, 100ms, 5s);
  }
  return measured ? Duration(5s) : Duration(0);
}

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

void Runtime::set_guards() {
  const bool measured = deployment_.container.http.has_value();
  for (const DeployedProgram& program : deployment_.programs) {
    data_plane_.set_guards(
        program.id, {.ping_every = ping_interval(program.config.hang_timeout, measured),
                     .hang_timeout = program.config.hang_timeout,
                     .answers_pings = program.launcher->is_known_node(),
                     .counts_connections = measured && program.launcher->counts_connections(),
                     .counts_requests = program.config.request_metrics});
    if (program.lacks_memory_limit()) {
      log_.warn("max_memory",
                fmt::format("{}: NODEINIT_MAX_MEMORY is a share of a memory limit, and "
                            "the container has none: workers are not watched",
                            program.config.name));
    }
  }
  const bool any = std::ranges::any_of(
      deployment_.programs, [](const auto& program) { return program.memory_allowed.has_value(); });
  if (!any) {
    next_memory_look_.reset();
  } else if (!next_memory_look_) {
    next_memory_look_ = sys::now() + MemoryGuard::kEvery;
  }
}

std::optional<Instant> Runtime::guards_deadline() const {
  const auto hang = hangs_.next_deadline();
  if (hang && next_memory_look_) {
    return std::min(*hang, *next_memory_look_);
  }
  return hang ? hang : next_memory_look_;
}

void Runtime::hear(Event event) {
  if (const auto* silent = std::get_if<event::Unresponsive>(&event)) {
    const auto worker = supervisor_.workers().find(silent->worker);
    if (worker != supervisor_.workers().end() && worker->second.pid) {
      hangs_.suspect(*silent, *worker->second.pid, sys::now());
    }
    return;
  }
  post(std::move(event));
}

void Runtime::examine_hangs() {
  using enum HangDiagnosis::Finds;
  for (HangExaminer::Finding& finding : hangs_.take_due(sys::now())) {
    const Incarnation worker = finding.event.worker;
    if (!data_plane_.is_unresponsive(worker)) {
      continue;  // it has answered after all
    }
    const bool spared = finding.finds == traced || finding.finds == resumed ||
                        (finding.finds == stopped && container_is_stopped());
    if (spared) {
      log_.warn("worker_stopped", fmt::format("worker {} does not answer, but {}: it is not ended",
                                              worker.value, finding.event.diagnosis));
      data_plane_.excuse(worker);
      continue;
    }
    post(std::move(finding.event));
  }
}

// Every worker was stopped, so that somebody has done it on purpose (SIGTSTP from the terminal or to
// PID 1, kill -STOP -1).
bool Runtime::container_is_stopped() const {
  return std::ranges::all_of(supervisor_.workers(), [](const auto& entry) {
    return !entry.second.pid || sys::state_of(*entry.second.pid) == 'T';
  });
}

void Runtime::guard_memory() {
  const Instant now = sys::now();
  if (!next_memory_look_ || *next_memory_look_ > now) {
    return;
  }
  next_memory_look_ = now + MemoryGuard::kEvery;
  const auto& workers = supervisor_.workers();
  for (const auto& [incarnation, worker] : workers) {
    const auto allowed = deployment_.of(worker.program).memory_allowed;
    const auto sample = allowed && worker.pid && worker.is_ready()
                            ? sys::sample_process(*worker.pid)
                            : Result<sys::ProcSample>(Error{});
    if (!sample) {
      memory_guard_.forget(incarnation);
      continue;
    }
    const Bytes used = memory_of(*worker.pid, sample->resident, *allowed);
    if (memory_guard_.look(incarnation, used, *allowed)) {
      post(event::OverMemory{.worker = incarnation, .used = used, .allowed = *allowed});
    }
  }
}

// In a stop all that is left is swept anyway.
void Runtime::look_after_orphans(const action::Forget& dead) {
  if (supervisor_.phase() >= Phase::stopping) {
    orphans_.drop(dead.worker);
    return;
  }
  orphans_.left_by(
      dead.worker, deployment_.of(dead.program).config.orphans,
      [this](Pid pid) { return is_hook(pid); }, sys::now());
}

}  // namespace ni::app
