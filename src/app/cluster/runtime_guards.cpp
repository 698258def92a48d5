// What the runtime's guards want from the data plane, and what becomes of what workers leave behind.

#include <algorithm>

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "sys/clock.h"

namespace ni::app {
namespace {

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

}  // namespace

void Runtime::set_guards() {
  const bool has_http = deployment_.container.http.has_value();
  for (const DeployedProgram& program : deployment_.programs) {
    const ProgramConfig& config = program.config;
    const bool is_counted = program.launcher->counts_connections();
    const bool follows_load = program.plan.follows_load();
    data_plane_.set_guards(
        program.id,
        {.ping_every = ping_interval(config, has_http),
         .hang_timeout = config.hang_timeout,
         .answers_pings = program.launcher->is_known_node(),
         .counts_connections = (has_http || config.max_requests || follows_load) && is_counted,
         .counts_requests = config.request_metrics || config.max_requests || follows_load});
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
  guards_.deployed(sys::now());
  load_scaler_.deployed(sys::now());
}

void Runtime::hear(Event event) {
  if (const auto* silent = std::get_if<event::Unresponsive>(&event)) {
    guards_.suspect(*silent, sys::now());
    return;
  }
  post(std::move(event));
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
