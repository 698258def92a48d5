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

constexpr Duration kLookEvery = 1s;

// Often enough for the guards; seldom for metrics alone; never for nobody.
Duration ping_interval(const ProgramConfig& program, bool measured) {
  constexpr Duration kSeldom = 5s;
  const auto& slow = program.max_loop_delay;
  Duration interval = kSeldom;
  if (program.hang_timeout > 0s) {
    interval = std::min(interval, program.hang_timeout / 4);
  }
  if (slow) {
    interval = std::min(interval, slow->lasting / 8);
  }
  if (program.hang_timeout == 0s && !slow && !measured) {
    return 0s;
  }
  return std::max<Duration>(interval, 100ms);
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
  const bool has_http = deployment_.container.http.has_value();
  bool any_looks = false;
  bool any_follows = false;
  for (const DeployedProgram& program : deployment_.programs) {
    const ProgramConfig& config = program.config;
    const bool is_counted = program.launcher->counts_connections();
    data_plane_.set_guards(
        program.id,
        {.ping_every = ping_interval(config, has_http),
         .hang_timeout = config.hang_timeout,
         .answers_pings = program.launcher->is_known_node(),
         .counts_connections =
             (has_http || config.max_requests || program.plan.follows_load()) && is_counted,
         .counts_requests =
             config.request_metrics || config.max_requests || program.plan.follows_load()});
    any_follows = any_follows || program.plan.follows_load();
    any_looks = any_looks || program.memory_allowed || config.max_loop_delay;
    if (program.lacks_memory_limit()) {
      log_.warn("max_memory",
                fmt::format("{}: NODEINIT_MAX_MEMORY is a share of a memory limit, and "
                            "the container has none: workers are not watched",
                            config.name));
    }
    if (config.max_requests && !is_counted) {
      log_.warn("max_requests",
                fmt::format("{}: NODEINIT_MAX_REQUESTS has no effect: requests are counted by the "
                            "module inside, and its workers have none",
                            config.name));
    }
  }
  if (!any_follows) {
    next_load_look_.reset();
    load_followers_.clear();
  } else if (!next_load_look_) {
    next_load_look_ = sys::now() + LoadFollower::kEvery;
  }
  if (!any_looks) {
    next_guard_look_.reset();
  } else if (!next_guard_look_) {
    next_guard_look_ = sys::now() + kLookEvery;
  }
}

std::optional<Instant> Runtime::guards_deadline() const {
  const auto hang = hangs_.next_deadline();
  if (hang && next_guard_look_) {
    return std::min(*hang, *next_guard_look_);
  }
  return hang ? hang : next_guard_look_;
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

void Runtime::look_at_guards() {
  const Instant now = sys::now();
  if (!next_guard_look_ || *next_guard_look_ > now) {
    return;
  }
  next_guard_look_ = now + kLookEvery;
  guard_memory();
  for (const DeployedProgram& program : deployment_.programs) {
    guard_loops(program);
  }
}

void Runtime::guard_loops(const DeployedProgram& program) {
  if (!program.config.max_loop_delay) {
    loop_guards_.erase(program.id);
    return;
  }
  const Instant now = sys::now();
  std::vector<LoopGuard::Look> looks;
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    if (worker.program == program.id && worker.is_ready()) {
      looks.push_back({incarnation, data_plane_.latest_loop_delay(incarnation, now)});
    }
  }
  const LoopDelayLimit& limit = *program.config.max_loop_delay;
  const auto found = loop_guards_[program.id].look(looks, limit, now);
  if (found.slow) {
    post(event::SlowLoop{.worker = found.slow->worker, .delay = found.slow->delay});
  }
  if (found.all_are) {
    log_.warn("all_slow",
              fmt::format("{}: the event loops of all {} workers have taken longer than {} for {} "
                          "or more: that is load, and none is replaced for it",
                          program.config.name, looks.size(), format_duration(limit.delay),
                          format_duration(limit.lasting)));
  }
}

void Runtime::guard_memory() {
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
