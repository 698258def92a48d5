// What the runtime tells of itself: for `nodeinit ctl` and whoever else asks.

#include <unistd.h>

#include "app/cluster/cannot_listen.h"
#include "app/cluster/runtime.h"
#include "app/invocation/container_files.h"
#include "sys/clock.h"
#include "sys/signals.h"
#include "sys/usage.h"

namespace ni::app {

StatusReport Runtime::status() const {
  StatusReport report = make_status(supervisor_, sys::now());
  report.uptime = sys::now() - started_at_;
  report.cpus = resources_.cpus.value;
  report.cpus_source = resources_.cpus.source;
  if (resources_.memory_limit) {  // never above the machine's
    report.memory = resources_.memory->value;
    report.memory_source = resources_.memory->source;
  }
  const ContainerUsage usage_of_all = read_usage(ContainerFiles(), resources_);
  report.memory_used = usage_of_all.memory;
  report.memory_most = usage_of_all.memory_peak;
  if (usage_of_all.throttled_periods && usage_of_all.periods.value_or(0) > 0) {
    report.throttled = static_cast<double>(*usage_of_all.throttled_periods) /
                       static_cast<double>(*usage_of_all.periods);
  }
  report.cpus_most = saturation_.most_cpu();
  report.loop_busy_p95 = saturation_.loop_busy_p95();
  for (const DeployedProgram& deployed : deployment_.programs) {
    ProgramStatus& program = report.programs[deployed.id.value];
    program.workers_reason = deployed.plan.workers_reason;
    program.memory_per_worker = deployed.plan.memory_per_worker;
    if (deployed.plan.heap) {
      program.heap = Bytes{deployed.plan.heap->old_space_mib * kMiB};
    }
    for (SlotStatus& slot : program.slots) {
      if (const auto usage = slot.pid ? sys::usage_of(*slot.pid) : std::nullopt) {
        slot.cpu_time = usage->cpu_time;
        slot.memory = usage->resident;
      }
      const LoopDelay* const delay =
          slot.worker ? data_plane_.loop_delay(Incarnation{*slot.worker}) : nullptr;
      if (delay != nullptr && delay->count() > 0) {
        slot.loop_delay = delay->last();
      }
      slot.inspector = inspector_of(slot, launcher_of(deployed.id));
    }
  }
  return report;
}

std::optional<SlotStatus::Inspector> Runtime::inspector_of(const SlotStatus& slot,
                                                           const Launcher& launcher) const {
  const auto worker = slot.worker ? supervisor_.workers().find(Incarnation{*slot.worker})
                                  : supervisor_.workers().end();
  if (worker == supervisor_.workers().end() || !slot.pid || !launcher.is_known_node()) {
    return std::nullopt;
  }
  const auto chain = chains_.find(worker->first);
  const bool is_chain = chain != chains_.end();
  if (is_chain && !chain->second.program) {
    return std::nullopt;
  }
  return SlotStatus::Inspector{
      .pid = is_chain ? *chain->second.program : *slot.pid,
      .port = launcher.inspector_port(worker->second.inspector.value_or(0)),
      .usr1 = data_plane_.handles_usr1(worker->first) ? "program"
              : worker->second.module_inside          ? "node"
                                                      : "unknown"};
}

Result<void> Runtime::open_control() {
  if (!deployment_.container.control) {
    return {};
  }
  const std::string& wanted = *deployment_.container.control;
  auto control = Control::open(
      loop_, control_address(wanted, ::getpid() == 1),
      {.status = [this] { return status(); },
       .post =
           [this](Event event) {
             if (const auto* scale = std::get_if<event::TargetChanged>(&event)) {
               want_workers(scale->program, scale->workers, "nodeinit ctl");
             } else {
               post(std::move(event));
             }
           },
       .reload = [this] { return reload("nodeinit ctl"); },
       // ESRCH: it has just ended and will be reaped.
       .send_signal = [](Pid pid, Signal signal) { (void)sys::send_signal(pid, signal); },
       .is_healthy =
           [this](bool live) {
             return live ? supervisor_.phase() != Phase::stopped : supervisor_.is_ready();
           },
       .all_have_left = [this] { children_may_have_ended_ = true; }});
  if (!control && wanted != "auto") {
    return cannot_listen("NODEINIT_CONTROL", wanted, control.error());
  }
  if (!control) {
    log_.warn("control", to_string(control.error()) + ", going on without the control socket");
    return {};
  }
  control_ = std::move(*control);
  return {};
}

}  // namespace ni::app
