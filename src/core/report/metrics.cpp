#include "core/report/metrics.h"

#include <array>
#include <limits>
#include <string_view>

namespace ni {
namespace {

using wire::Exposition;
using wire::MetricLabel;
using wire::MetricType;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}
double number(std::uint64_t count) {
  return static_cast<double>(count);
}
double number(Bytes bytes) {
  return static_cast<double>(bytes.value);
}

// Writes families one after the other; the helpers walk over programs, slots and their workers.
class Writer {
 public:
  Writer(const MetricsInput& input, wire::MetricsFormat format)
      : in_(input), programs_(input.supervisor.programs()), format_(format), out_(format) {}

  std::string run() {
    own();
    phases();
    programs();
    slots();
    connections();
    signals();
    workers();
    loop_times();
    loop_delays();
    container();
    logs();
    channels();
    in_.of_workers.write(out_, format_);
    return std::move(out_).finish();
  }

 private:
  void single(std::string_view name, MetricType type, std::string_view help, double value) {
    out_.family(name, type, help);
    out_.sample({}, value);
  }
  template <class T>
  void maybe(std::string_view name, MetricType type, std::string_view help,
             const std::optional<T>& value) {
    if (value) single(name, type, help, of(*value));
  }
  static double of(Bytes value) { return number(value); }
  static double of(Duration value) { return seconds(value); }
  static double of(std::uint64_t value) { return number(value); }
  static double of(std::uint32_t value) { return value; }
  static double of(MilliCpu value) { return number(value.value) / 1000; }

  template <class Value>  // Program → double, or optional of it
  void per_program(std::string_view name, MetricType type, std::string_view help, Value value) {
    out_.family(name, type, help);
    for (const Program& program : programs_) {
      const std::optional<double> sample = value(program);
      if (sample) out_.sample({{"program", program.config.name}}, *sample);
    }
  }
  template <class Visit>  // (Program, Slot, slot's number as a text)
  void each_slot(Visit visit) {
    for (const Program& program : programs_) {
      for (const Slot& slot : program.slots) {
        visit(program, slot, std::to_string(slot.id.value));
      }
    }
  }
  // The worker that a slot has; a successor on its way is not shown before it takes over.
  const Worker* worker_of(const Slot& slot) const {
    const auto& workers = in_.supervisor.workers();
    const auto found = slot.current ? workers.find(*slot.current) : workers.end();
    return found == workers.end() ? nullptr : &found->second;
  }
  template <class Value>  // (Worker, WorkerUsage) → optional<T>
  void per_worker(std::string_view name, MetricType type, std::string_view help, Value value) {
    out_.family(name, type, help);
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      const Worker* const worker = worker_of(slot);
      if (worker == nullptr) return;
      const auto found = in_.workers.find(worker->incarnation);
      const auto sample =
          value(*worker, found == in_.workers.end() ? WorkerUsage{} : found->second);
      if (sample) out_.sample({{"program", program.config.name}, {"slot", id}}, of(*sample));
    });
  }

  void own() {
    out_.family("nodeinit_build_info", MetricType::info, "The nodeinit that runs.");
    out_.sample({{"version", in_.own.version}}, 1);
    single("nodeinit_uptime_seconds", MetricType::gauge, "Since nodeinit started.",
           seconds(in_.own.uptime));
    maybe("nodeinit_cpu_seconds_total", MetricType::counter, "CPU time of nodeinit itself.",
          in_.own.cpu);
    maybe("nodeinit_resident_memory_bytes", MetricType::gauge, "Memory of nodeinit itself.",
          in_.own.resident);
    maybe("nodeinit_open_fds", MetricType::gauge, "Descriptors that nodeinit has open.",
          in_.own.descriptors);
    single("nodeinit_wakeups_total", MetricType::counter, "Turns of nodeinit's event loop.",
           number(in_.own.wake_ups));
    single("nodeinit_assertion_failures_total", MetricType::counter,
           "Mistakes of nodeinit that it noticed and survived.",
           number(in_.own.assertion_failures));
    single("nodeinit_orphans_reaped_total", MetricType::counter,
           "Processes that were not workers and were reaped.",
           number(in_.supervisor.orphans_reaped()));
    out_.family("nodeinit_endpoint_requests_total", MetricType::counter,
                "Requests to nodeinit's own HTTP port, by what became of them.");
    out_.sample({{"result", "answered"}}, number(in_.own.http_requests));
    out_.sample({{"result", "refused"}}, number(in_.own.http_refused));
    out_.sample({{"result", "evicted"}}, number(in_.own.http_evicted));
  }

  void phases() {
    out_.family("nodeinit_phase", MetricType::gauge, "1 for the phase that nodeinit is in.");
    for (auto phase : {Phase::booting, Phase::preparing, Phase::running, Phase::lingering,
                       Phase::stopping, Phase::sweeping, Phase::concluding, Phase::stopped}) {
      out_.sample({{"phase", to_string(phase)}}, phase == in_.supervisor.phase() ? 1 : 0);
    }
    single("nodeinit_ready", MetricType::gauge, "Whether traffic should come here (/readyz).",
           in_.supervisor.is_ready() ? 1 : 0);
  }

  void programs() {
    per_program("nodeinit_workers_wanted", MetricType::gauge, "Workers that there should be.",
                [](const Program& program) { return std::optional<double>(program.target); });
    per_program("nodeinit_workers_ready", MetricType::gauge, "Workers that take connections.",
                [&](const Program& program) {
                  return std::optional<double>(in_.supervisor.ready_workers(program));
                });
    const auto where_wanted = [](auto figure) {
      return [figure](const Program& program) {
        return program.config.spares > 0 ? std::optional<double>(figure(program)) : std::nullopt;
      };
    };
    per_program("nodeinit_spares_wanted", MetricType::gauge, "Spares that there should be.",
                where_wanted([](const Program& program) { return program.config.spares; }));
    per_program(
        "nodeinit_spares_ready", MetricType::gauge, "Spares that are loaded and wait.",
        where_wanted([&](const Program& program) { return in_.supervisor.spares_ready(program); }));
    per_program("nodeinit_spare_deaths_total", MetricType::counter, "Spares that ended unasked.",
                where_wanted([](const Program& program) { return program.spare_deaths; }));
    per_program(
        "nodeinit_rollout_in_progress", MetricType::gauge, "1 while a rolling reload is under way.",
        [](const Program& program) { return std::optional<double>(program.rollout ? 1 : 0); });
    const auto figures = [&](const Program& program) -> const ProgramFigures* {
      return program.id.value < in_.programs.size() ? &in_.programs[program.id.value] : nullptr;
    };
    out_.family("nodeinit_rollouts_total", MetricType::counter, "Rolling reloads, by result.");
    for (const Program& program : programs_) {
      if (const ProgramFigures* const of = figures(program)) {
        const std::string& name = program.config.name;
        out_.sample({{"program", name}, {"result", "succeeded"}}, number(of->rollouts_succeeded));
        out_.sample({{"program", name}, {"result", "failed"}}, number(of->rollouts_failed));
      }
    }
    per_program("nodeinit_connections_dropped_total", MetricType::counter,
                "Connections that nobody took: every worker refused them or was gone.",
                [&](const Program& program) -> std::optional<double> {
                  const ProgramFigures* const of = figures(program);
                  return of != nullptr ? std::optional(number(of->connections.dropped))
                                       : std::nullopt;
                });
    per_program("nodeinit_worker_heap_limit_bytes", MetricType::gauge,
                "Old-space heap limit that each worker was given.",
                [&](const Program& program) -> std::optional<double> {
                  const ProgramFigures* const of = figures(program);
                  return of != nullptr && of->heap ? std::optional(number(*of->heap))
                                                   : std::nullopt;
                });
  }

  void slots() {
    out_.family("nodeinit_slot_state", MetricType::gauge,
                "1, with the state of the slot as a label: its worker's, or why it has none.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      const Worker* const worker = worker_of(slot);
      const std::string_view now = worker != nullptr                   ? shown_state(*worker)
                                   : slot.state == SlotState::finished ? "finished"
                                   : slot.state == SlotState::vacant   ? "vacant"
                                                                       : "backing_off";
      out_.sample({{"program", program.config.name}, {"slot", id}, {"state", now}}, 1);
    });
    out_.family("nodeinit_worker_replacements_total", MetricType::counter,
                "Workers that were replaced, or were to be, by reason.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      for (std::size_t reason = 0; reason < kReplaceReasons; ++reason) {
        if (slot.replacements[reason] > 0) {
          out_.sample({{"program", program.config.name},
                       {"slot", id},
                       {"reason", to_string(static_cast<ReplaceFor>(reason))}},
                      slot.replacements[reason]);
        }
      }
    });
    out_.family("nodeinit_worker_restarts_total", MetricType::counter,
                "Workers started in the place of one that had ended.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      out_.sample({{"program", program.config.name}, {"slot", id}}, slot.restarts);
    });
    out_.family("nodeinit_worker_drains_cut_off_total", MetricType::counter,
                "Workers that had to end with something still in flight.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      out_.sample({{"program", program.config.name}, {"slot", id}}, slot.cut);
    });
    out_.family("nodeinit_worker_deaths_total", MetricType::counter,
                "Workers that ended, by cause.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      for (std::size_t cause = 0; cause < kDeathCauses; ++cause) {
        out_.sample({{"program", program.config.name},
                     {"slot", id},
                     {"cause", to_string(static_cast<DeathCause>(cause))}},
                    slot.deaths[cause]);
      }
    });
  }

  void connections() {
    out_.family("nodeinit_connections_total", MetricType::counter,
                "Connections that the slot's workers got: accepted by themselves (as far as they "
                "tell), handed over by nodeinit as the balance wants it, or rescued by it from the "
                "queue of a worker that was dead or blocked.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      if (program.id.value >= in_.programs.size()) return;
      const ConnectionCounters& counted = in_.programs[program.id.value].connections;
      const auto found = counted.slots.find(slot.id);
      const auto of = found == counted.slots.end() ? ConnectionCounters::OfSlot{} : found->second;
      const std::string& name = program.config.name;
      if (counted.knows_accepted) {
        out_.sample({{"program", name}, {"slot", id}, {"path", "accepted"}}, number(of.accepted));
      }
      out_.sample({{"program", name}, {"slot", id}, {"path", "handed_over"}},
                  number(of.handed_over));
      out_.sample({{"program", name}, {"slot", id}, {"path", "rescued"}}, number(of.rescued));
    });
  }

  void workers() {
    using U = const WorkerUsage&;
    per_worker("nodeinit_worker_uptime_seconds", MetricType::gauge, "Since the worker was started.",
               [&](const Worker& worker, U) { return std::optional(in_.now - worker.spawned_at); });
    out_.family("nodeinit_worker_cpu_seconds_total", MetricType::counter,
                "CPU time of the slot's worker; starts anew with each worker.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      const Worker* const worker = worker_of(slot);
      const auto found =
          worker == nullptr ? in_.workers.end() : in_.workers.find(worker->incarnation);
      if (found == in_.workers.end()) return;
      const std::string& name = program.config.name;
      const auto& [user, system] = std::pair(found->second.cpu_user, found->second.cpu_system);
      if (user) out_.sample({{"program", name}, {"slot", id}, {"mode", "user"}}, seconds(*user));
      if (system) {
        out_.sample({{"program", name}, {"slot", id}, {"mode", "system"}}, seconds(*system));
      }
    });
    per_worker("nodeinit_worker_resident_memory_bytes", MetricType::gauge,
               "Memory that the worker has in RAM, shared pages counted in full (RSS).",
               [](const Worker&, U usage) { return usage.resident; });
    per_worker("nodeinit_worker_peak_resident_memory_bytes", MetricType::gauge,
               "The most memory that the worker has ever had in RAM (VmHWM).",
               [](const Worker&, U usage) { return usage.peak; });
    per_worker("nodeinit_worker_proportional_memory_bytes", MetricType::gauge,
               "Memory that the worker has in RAM, shared pages divided among their users (PSS).",
               [](const Worker&, U usage) { return usage.proportional; });
    per_worker("nodeinit_worker_open_fds", MetricType::gauge, "Descriptors the worker has open.",
               [](const Worker&, U usage) { return usage.descriptors; });
  }

  void signals() {
    std::vector<ServerSignals::Named> named;
    for (const Program& program : programs_) {
      if (program.config.request_metrics) named.emplace_back(program.id, program.config.name);
    }
    in_.signals.write(out_, named);
  }

  void loop_times() {
    constexpr double kMilliseconds = 1000;
    out_.family("nodeinit_worker_event_loop_seconds_total", MetricType::counter,
                "Time that the event loop of the slot's worker has waited for something to do "
                "(idle) or has not (active); starts anew with each worker.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      const Worker* const worker = worker_of(slot);
      const auto found =
          worker == nullptr ? in_.workers.end() : in_.workers.find(worker->incarnation);
      if (found == in_.workers.end() || !found->second.loop_time) return;
      const wire::LoopTime& time = *found->second.loop_time;
      const std::string& name = program.config.name;
      out_.sample({{"program", name}, {"slot", id}, {"state", "active"}},
                  time.active / kMilliseconds);
      out_.sample({{"program", name}, {"slot", id}, {"state", "idle"}}, time.idle / kMilliseconds);
    });
  }

  void loop_delays() {
    out_.family("nodeinit_worker_loop_delay_seconds", MetricType::histogram,
                "Time the worker's event loop took to answer nodeinit.");
    each_slot([&](const Program& program, const Slot& slot, const std::string& id) {
      const Worker* const worker = worker_of(slot);
      const auto found =
          worker == nullptr ? in_.workers.end() : in_.workers.find(worker->incarnation);
      if (found == in_.workers.end() || found->second.loop_delay == nullptr) return;
      const LoopDelay& delay = *found->second.loop_delay;
      std::uint64_t so_far = 0;
      std::string bound;
      for (std::size_t i = 0; i < delay.buckets().size(); ++i) {
        so_far += delay.buckets()[i];
        bound.clear();
        wire::append_number(bound, i < LoopDelay::kBounds.size()
                                       ? seconds(LoopDelay::kBounds[i])
                                       : std::numeric_limits<double>::infinity());
        const std::array<MetricLabel, 3> labels{
            MetricLabel{"program", program.config.name}, {"slot", id}, {"le", bound}};
        out_.sample("_bucket", labels, number(so_far));
      }
      const std::array<MetricLabel, 2> labels{MetricLabel{"program", program.config.name},
                                              {"slot", id}};
      out_.sample("_sum", labels, seconds(delay.sum()));
      out_.sample("_count", labels, number(delay.count()));
    });
  }

  void container() {
    const ContainerFigures& of = in_.container;
    maybe("nodeinit_container_cpu_limit_cpus", MetricType::gauge,
          "CPUs that the container may use.", of.cpus);
    maybe("nodeinit_container_memory_limit_bytes", MetricType::gauge,
          "Memory that the container may use.", of.memory_limit);
    const ContainerUsage& used = of.usage;
    maybe("nodeinit_container_memory_used_bytes", MetricType::gauge,
          "Memory that is charged to the container, page cache included.", used.memory);
    maybe("nodeinit_container_memory_peak_bytes", MetricType::gauge,
          "The most memory that was ever charged to the container.", used.memory_peak);
    maybe("nodeinit_container_cpu_seconds_total", MetricType::counter,
          "CPU time of all processes of the container.", used.cpu);
    maybe("nodeinit_container_cpu_periods_total", MetricType::counter,
          "Enforcement periods of the CPU quota.", used.periods);
    maybe("nodeinit_container_cpu_throttled_periods_total", MetricType::counter,
          "Periods in which the CPU quota was used up.", used.throttled_periods);
    maybe("nodeinit_container_cpu_throttled_seconds_total", MetricType::counter,
          "Time that the CPU quota held processes up.", used.throttled);
    if (!used.pressure.empty()) {
      out_.family("nodeinit_container_pressure_waiting_seconds_total", MetricType::counter,
                  "Time that some or all processes waited for a resource (PSI).");
      for (const auto& [resource, some, full] : used.pressure) {
        if (some) out_.sample({{"resource", resource}, {"who", "some"}}, seconds(*some));
        if (full) out_.sample({{"resource", resource}, {"who", "full"}}, seconds(*full));
      }
    }
    if (!used.memory_events.empty()) {
      out_.family("nodeinit_container_memory_events_total", MetricType::counter,
                  "What memory.events counts; oom_kill: processes killed by the kernel.");
      for (const auto& [event, count] : used.memory_events) {
        out_.sample({{"event", event}}, number(count));
      }
    }
  }

  void logs() {
    const LogFigures& of = in_.logs;
    if (!of.streams.empty()) {
      out_.family("nodeinit_log_lines_total", MetricType::counter, "Lines that workers wrote.");
      for (const auto& stream : of.streams) {
        out_.sample({{"stream", stream.name}}, number(stream.lines));
      }
      out_.family("nodeinit_log_bytes_total", MetricType::counter, "Bytes that workers wrote.");
      for (const auto& stream : of.streams) {
        out_.sample({{"stream", stream.name}}, number(stream.bytes));
      }
    }
    single("nodeinit_log_lines_split_total", MetricType::counter,
           "Lines that were longer than the bound and were cut.", number(of.lines_split));
    single("nodeinit_log_lines_dropped_total", MetricType::counter,
           "Lines dropped because their reader was too slow.", number(of.lines_dropped));
    single("nodeinit_log_bytes_dropped_total", MetricType::counter,
           "Bytes of the lines dropped because their reader was too slow.",
           number(of.bytes_dropped));
    single("nodeinit_log_bytes_lost_total", MetricType::counter,
           "Bytes lost because stdout or stderr failed.", number(of.bytes_lost));
    single("nodeinit_log_waits_total", MetricType::counter,
           "Times that stdout or stderr was full and workers had to wait.", number(of.waits));
    single("nodeinit_log_own_messages_lost_total", MetricType::counter,
           "Messages of nodeinit that stderr did not take.", number(of.own_messages_lost));
  }

  void channels() {
    single("nodeinit_worker_messages_total", MetricType::counter,
           "Messages of process.send() in workers; nodeinit has no use for them.",
           number(in_.own.user_messages));
    single("nodeinit_channel_lines_dropped_total", MetricType::counter,
           "Messages to workers that did not read their channel.",
           number(in_.own.channel_lines_dropped));
    out_.family("nodeinit_worker_metrics_answers_total", MetricType::counter,
                "Workers that were asked for their own metrics (prom-client), by what became of "
                "it.");
    out_.sample({{"result", "merged"}}, number(in_.worker_answers.merged));
    out_.sample({{"result", "unanswered"}}, number(in_.worker_answers.unanswered));
    out_.sample({{"result", "unusable"}}, number(in_.worker_answers.unusable));
  }

  const MetricsInput& in_;
  const std::vector<Program>& programs_;
  wire::MetricsFormat format_;
  Exposition out_;
};

}  // namespace

std::string render_metrics(const MetricsInput& input, wire::MetricsFormat format) {
  return Writer(input, format).run();
}

}  // namespace ni
