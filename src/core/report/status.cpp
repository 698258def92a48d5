#include "core/report/status.h"

#include <fmt/format.h>

#include <algorithm>

namespace ni {
namespace {

std::string_view to_string(Program::Stage stage) {
  switch (stage) {
    case Program::Stage::probing:
      return "probing";
    case Program::Stage::serving:
      return "serving";
    case Program::Stage::finished:
      return "finished";
  }
  return {};
}

std::string_view to_string(SlotState state) {
  switch (state) {
    case SlotState::vacant:
      return "vacant";
    case SlotState::occupied:
      return "occupied";
    case SlotState::backing_off:
      return "backing off";
    case SlotState::finished:
      return "finished";
  }
  return {};
}

std::int64_t milliseconds(Duration duration) {
  return duration / 1ms;
}

SlotStatus status_of(const Supervisor& supervisor, const Slot& slot, Instant now) {
  SlotStatus status{.slot = slot.id.value,
                    .state = std::string(to_string(slot.state)),
                    .pid = {},
                    .worker = {},
                    .restarts = slot.restarts,
                    .last_death = {},
                    .replacing = slot.successor.has_value(),
                    .cpu_time = {},
                    .memory = {},
                    .loop_delay = {},
                    .inspector = {}};
  const auto worker =
      slot.current ? supervisor.workers().find(*slot.current) : supervisor.workers().end();
  if (worker != supervisor.workers().end()) {
    status.state = std::string(shown_state(worker->second));
    status.pid = worker->second.pid;
    status.worker = worker->first.value;
    status.uptime = now - worker->second.spawned_at;
  }
  if (slot.last_death) {
    status.last_death = std::string(ni::to_string(slot.last_death->cause)) + ", " +
                        to_string(slot.last_death->status);
    status.since_death = now - slot.last_death->at;
  }
  return status;
}

wire::Json to_json(const SlotStatus& slot) {
  wire::Json json = wire::Json::object({{"slot", slot.slot}, {"state", slot.state}});
  if (slot.pid) {
    json.set("pid", slot.pid->value());
  }
  if (slot.worker) {
    json.set("worker", *slot.worker).set("uptime_ms", milliseconds(slot.uptime));
  }
  json.set("restarts", slot.restarts);
  if (!slot.last_death.empty()) {
    json.set("last_death", slot.last_death).set("since_death_ms", milliseconds(slot.since_death));
  }
  if (slot.replacing) {
    json.set("replacing", true);
  }
  if (slot.cpu_time) {
    json.set("cpu_ms", milliseconds(*slot.cpu_time));
  }
  if (slot.memory) {
    json.set("memory", slot.memory->value);
  }
  if (slot.loop_delay) {
    json.set("loop_delay_ms", static_cast<double>(slot.loop_delay->count()) / 1e6);
  }
  if (slot.inspector) {
    json.set("inspector", wire::Json::object({{"pid", slot.inspector->pid.value()},
                                              {"port", slot.inspector->port},
                                              {"usr1", slot.inspector->usr1}}));
  }
  return json;
}

wire::Json to_json(const ProgramStatus& program) {
  wire::Json slots = wire::Json::array();
  for (const SlotStatus& slot : program.slots) {
    slots.push(to_json(slot));
  }
  wire::Json json = wire::Json::object({{"name", program.name},
                                        {"workers", program.workers},
                                        {"ready", program.ready},
                                        {"stage", program.stage},
                                        {"rolling", program.rolling}});
  if (program.spares > 0) {
    json.set("spares", wire::Json::object({{"wanted", program.spares},
                                           {"ready", program.spares_ready},
                                           {"deaths", program.spare_deaths}}));
  }
  if (!program.workers_reason.empty()) {
    json.set("workers_reason", program.workers_reason);
  }
  if (program.memory_per_worker) {
    json.set("memory_per_worker", program.memory_per_worker->value);
  }
  if (program.heap) {
    json.set("heap", program.heap->value);
  }
  return json.set("slots", slots);
}

}  // namespace

StatusReport make_status(const Supervisor& supervisor, Instant now) {
  StatusReport report;
  report.phase = std::string(to_string(supervisor.phase()));
  report.ready = supervisor.is_ready();
  report.orphans_reaped = supervisor.orphans_reaped();
  for (const Program& program : supervisor.programs()) {
    ProgramStatus status;
    status.name = program.config.name;
    status.workers = program.target;
    status.stage = std::string(to_string(program.stage));
    status.rolling = program.rollout.has_value();
    status.ready = supervisor.ready_workers(program);
    status.spares = program.config.spares;
    status.spares_ready = supervisor.spares_ready(program);
    status.spare_deaths = program.spare_deaths;
    for (const Slot& slot : program.slots) {
      if (slot.wanted || slot.current) {
        status.slots.push_back(status_of(supervisor, slot, now));
      }
    }
    report.programs.push_back(std::move(status));
  }
  return report;
}

wire::Json to_json(const StatusReport& report) {
  wire::Json json = wire::Json::object({{"version", NODEINIT_VERSION},
                                        {"phase", report.phase},
                                        {"ready", report.ready},
                                        {"uptime_ms", milliseconds(report.uptime)}});
  if (report.cpus) {
    json.set("cpus", static_cast<double>(report.cpus->value) / 1000)
        .set("cpus_source", report.cpus_source);
  }
  if (report.memory) {
    json.set("memory", report.memory->value).set("memory_source", report.memory_source);
  }
  if (report.memory_used) {
    json.set("memory_used", report.memory_used->value);
  }
  if (report.cpus_most) {
    json.set("cpus_most", static_cast<double>(report.cpus_most->value) / 1000);
  }
  if (report.throttled) {
    json.set("throttled", *report.throttled);
  }
  if (report.memory_most) {
    json.set("memory_most", report.memory_most->value);
  }
  if (report.loop_busy_p95) {
    json.set("loop_busy_p95", *report.loop_busy_p95);
  }
  json.set("orphans_reaped", report.orphans_reaped);
  wire::Json programs = wire::Json::array();
  for (const ProgramStatus& program : report.programs) {
    programs.push(to_json(program));
  }
  return json.set("programs", programs);
}

std::string why_not_ready(const Supervisor& supervisor) {
  std::string text;
  for (const Program& program : supervisor.programs()) {
    const unsigned ready = supervisor.ready_workers(program);
    const unsigned needed = program.config.ready_workers.of(program.target);
    if (program.stage != Program::Stage::finished && ready < needed) {
      text += (text.empty() ? "" : "; ") + fmt::format("{}: {} of {} workers ready, {} needed",
                                                       program.config.name, ready, program.target,
                                                       needed);
    }
  }
  return supervisor.phase() == Phase::running && !text.empty()
             ? text
             : std::string(to_string(supervisor.phase()));
}

}  // namespace ni
