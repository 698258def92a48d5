#include "core/supervision/supervisor.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/text.h"

namespace ni {

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::booting:
      return "booting";
    case Phase::preparing:
      return "preparing";
    case Phase::running:
      return "running";
    case Phase::lingering:
      return "lingering";
    case Phase::stopping:
      return "stopping";
    case Phase::sweeping:
      return "sweeping";
    case Phase::concluding:
      return "concluding";
    case Phase::stopped:
      return "stopped";
  }
  return "unknown";
}

Supervisor::Supervisor(SupervisorSettings settings, std::vector<ProgramPlan> programs,
                       Random random)
    : settings_(settings), random_(random) {
  for (ProgramPlan& plan : programs) {
    Program program;
    program.id = ProgramId{static_cast<std::uint32_t>(programs_.size())};
    program.config = std::move(plan.config);
    program.signal_group = plan.signal_group;
    program.module_inside = plan.module_inside;
    program.adopts = plan.adopts;
    program.target = std::max(plan.workers, 1U);
    programs_.push_back(std::move(program));
  }
}

void Supervisor::start(Instant now, Actions& actions) {
  const Turn turn{now, actions};
  if (!NI_ASSERT(phase_ == Phase::booting)) {
    return;
  }
  if (settings_.pre_start) {
    phase_ = Phase::preparing;
    run_hook(Hook::pre_start, turn);
  } else {
    start_programs(turn);
  }
  settle(turn);
}

void Supervisor::on(const Event& event, Instant now, Actions& actions) {
  if (phase_ == Phase::stopped) {
    return;
  }
  const Turn turn{now, actions};
  std::visit([&](const auto& happened) { handle(happened, turn); }, event);
  settle(turn);
}

// What follows from what happened.
void Supervisor::settle(Turn turn) {
  for (auto next = workers_.begin(); next != workers_.end();) {
    Worker& worker = (next++)->second;
    if (worker.deadline && *worker.deadline <= turn.now) {
      worker_deadline(worker, turn);
    }
  }
  hook_deadline(turn);
  for (Program& program : programs_) {
    if (phase_ == Phase::running && program.stage != Program::Stage::finished) {
      fill_vacancies(program, turn);
      advance_replacements(program, turn);
      restore_numbers(program, turn);
      fill_spares(program, turn);
      finish_rollout_if_done(program, turn);
    }
    if (phase_ == Phase::running && program.stage == Program::Stage::finished &&
        !std::exchange(program.listeners_closed, true)) {
      turn.out.push_back(action::CloseListeners{program.id});
    }
    update_serving(program, turn);
  }
  advance_stop(turn);
}

std::optional<Instant> Supervisor::next_deadline() const {
  std::optional<Instant> earliest = phase_deadline_;
  const auto consider = [&earliest](Instant instant) {
    if (!earliest || instant < *earliest) {
      earliest = instant;
    }
  };
  if (continue_at_) {
    consider(*continue_at_);
  }
  for (const auto& [incarnation, worker] : workers_) {
    if (worker.deadline) {
      consider(*worker.deadline);
    }
  }
  if (hook_ && hook_->deadline) {
    consider(*hook_->deadline);
  }
  if (phase_ == Phase::running) {
    for (const Program& program : programs_) {
      for (const Slot& slot : program.slots) {
        if (slot.state == SlotState::backing_off && slot.wanted) {
          consider(slot.retry_at);
        }
        if (slot.replace_after && slot.wants_replacement()) {
          consider(*slot.replace_after);
        }
      }
      if (wants_spare(program)) {
        consider(program.spare_retry_at);
      }
    }
  }
  return earliest;
}

bool Supervisor::is_ready() const {
  return phase_ == Phase::running && std::ranges::all_of(programs_, [this](const Program& program) {
           return program.stage == Program::Stage::finished ||
                  ready_workers(program) >= program.config.ready_workers.of(program.target);
         });
}

void Supervisor::reconfigure(ProgramId program, ProgramPlan again) {
  if (NI_ASSERT(program.value < programs_.size())) {
    Program& known = programs_[program.value];
    known.config = std::move(again.config);
    known.signal_group = again.signal_group;
    known.module_inside = again.module_inside;
  }
}

// ---- events: what a worker says

void Supervisor::handle(const event::Spawned& event, Turn turn) {
  if (hook_ && hook_->process == event.worker) {
    hook_started(event.pid, turn);
  }
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  worker->pid = event.pid;
  report(LogLevel::info, "worker_started", "started", worker, turn);
  // Its end was asked for while it was being started: now there is somebody to tell.
  if (worker->state >= WorkerState::terminating) {
    enter(*worker, worker->state, turn);
  }
}

void Supervisor::handle(const event::SpawnFailed& event, Turn turn) {
  if (hook_ && hook_->process == event.worker) {
    hook_ended(ExitStatus::exited(event.exit_code), event.reason, turn);
  }
  if (const Worker* worker = find(event.worker)) {
    Worker gone = *worker;
    gone.lacked = event.lacked;
    workers_.erase(event.worker);
    died(std::move(gone), ExitStatus::exited(event.exit_code), DeathCause::spawn_failed,
         event.reason, turn);
  }
}

void Supervisor::handle(const event::Online& event, Turn turn) {
  if (Worker* worker = find(event.worker)) {
    worker->online = true;
    if (program_of(*worker).config.ready == Readiness::online) {
      input(*worker, WorkerInput::ready, turn);
    }
  }
}

void Supervisor::handle(const event::AskedForSocket& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr || worker->asked_for_socket) {
    return;
  }
  const bool could_be_job = may_be_job(*worker);
  worker->asked_for_socket = true;
  if (worker->state == WorkerState::parked) {
    report(LogLevel::info, "spare_loaded", "is loaded and waits", worker, turn);
    program_of(*worker).spare_backoff.reset();
    return;
  }
  // From here on it is known to be a server, so that it can be late.
  if (worker->state == WorkerState::starting && (could_be_job || !worker->deadline)) {
    worker->deadline = turn.now + patience(program_of(*worker), *worker);
  }
  became_server(program_of(*worker), turn);
}

void Supervisor::handle(const event::SaidReady& event, Turn turn) {
  if (Worker* worker = find(event.worker)) {
    worker->said_ready = true;  // a spare may have, and is promoted later
    set_available(*worker, true, "", turn);
    if (program_of(*worker).config.ready == Readiness::message) {
      seems_ready(*worker, turn);
    }
  }
}

void Supervisor::handle(const event::SaidAvailable& event, Turn turn) {
  if (Worker* worker = find(event.worker)) {
    set_available(*worker, event.ready, event.reason, turn);
  }
}

void Supervisor::set_available(Worker& worker, bool available, const std::string& reason,
                               Turn turn) {
  constexpr unsigned kMostTold = 20;  // of one worker: its word must not fill the log
  if (std::exchange(worker.unavailable, !available) == !available) {
    return;
  }
  const std::string at_last =
      ++worker.times_told == kMostTold ? " (and has so often that it is not told any more)" : "";
  const std::string says = available ? "says that it is ready" : "says that it is not ready";
  const std::string then = available ? "" : ": it gets no new connections while others are";
  const Told told(says + then + at_last,
                  says + (reason.empty() ? "" : " (" + reason + ")") + then + at_last);
  if (worker.times_told <= kMostTold) {
    if (available) {
      report(LogLevel::info, "worker_available", told, &worker, turn);
    } else {
      report(LogLevel::warn, "worker_unavailable", told, &worker, turn);
    }
  }
  if (available && std::exchange(worker.ready_but_for_its_word, false)) {
    input(worker, WorkerInput::ready, turn);
  }
}

void Supervisor::handle(const event::Leaving& event, Turn turn) {
  if (Worker* worker = find(event.worker)) {
    worker->leaving = true;
    // Its servers are closed, only what runs goes on: as if its channel had closed already.
    if (worker->state == WorkerState::ready) {
      input(*worker, WorkerInput::channel_closed, turn);
    }
  }
}

void Supervisor::handle(const event::ChannelClosed& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  // One that leaves by itself ends by itself; if it does not, its deadline sees to it. A command
  // above the program has its last lines to run.
  const bool leaves = worker->leaving && worker->end_reason == EndReason::not_asked;
  const bool ends = worker->chain && (worker->state == WorkerState::draining ||
                                      worker->state == WorkerState::terminating);
  if (ends) {
    leave_last_lines(*worker, turn);
  } else if (!leaves) {
    input(*worker, WorkerInput::channel_closed, turn);
  }
}

void Supervisor::handle(const event::Unresponsive& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr || worker->state > WorkerState::draining) {
    return;
  }
  const auto silent_for = std::chrono::duration_cast<std::chrono::milliseconds>(event.silent_for);
  report(
      LogLevel::error, "worker_unresponsive",
      fmt::format("its event loop has not answered for {}: {}{}it gets {} and is replaced",
                  format_duration(silent_for), event.diagnosis, event.diagnosis.empty() ? "" : "; ",
                  to_string(program_of(*worker).config.hang_signal)),
      worker, turn);
  end(*worker, EndReason::unresponsive, turn);
}

void Supervisor::handle(const event::Exited& event, Turn turn) {
  if (hook_ && hook_->pid == event.pid) {
    hook_ended(event.status, event.last_words, turn);
    return;
  }
  const auto found = std::ranges::find_if(
      workers_, [&](const auto& entry) { return entry.second.pid == event.pid; });
  if (found == workers_.end()) {
    ++orphans_reaped_;
    return;
  }
  Worker worker = std::move(found->second);
  workers_.erase(found);
  turn.out.push_back(action::Forget{worker.incarnation, worker.program, event.pid});
  const DeathCause cause = [&] {
    using enum DeathCause;
    if (worker.end_reason == EndReason::never_ready) return never_ready;
    if (worker.end_reason == EndReason::unresponsive) return unresponsive;
    if (worker.was_asked_to_end()) return asked;
    if (event.out_of_memory) return oom_killed;
    return worker.leaving || event.status.success() ? left_by_itself : crashed;
  }();
  had_to_kill_ = had_to_kill_ || (is_stopping() && worker.had_to_kill);
  died(std::move(worker), event.status, cause, event.last_words, turn);
}

// ---- events: what people and the platform want

void Supervisor::handle(const event::ForwardSignal& event, Turn turn) {
  for (auto& [incarnation, worker] : workers_) {
    const bool addressed = !event.first_slot_only || (!worker.spare && worker.slot.value == 0 &&
                                                      slot_of(worker).current == incarnation);
    if (addressed && worker.pid && worker.state < WorkerState::killing) {
      turn.out.push_back(action::SendSignal{incarnation, *worker.pid, event.signal,
                                            event.whole_group || worker.signal_group, event.value});
    }
  }
}

void Supervisor::handle(const event::DeadlineReached& /*event*/, Turn /*turn*/) {}

void Supervisor::handle(const event::TargetChanged& event, Turn turn) {
  if (event.program.value < programs_.size()) {
    change_target(programs_[event.program.value], event.workers, turn);
  }
}

void Supervisor::handle(const event::ScaleBy& event, Turn turn) {
  if (event.program.value < programs_.size()) {
    Program& program = programs_[event.program.value];
    const long wanted = static_cast<long>(program.target) + event.workers;
    change_target(program, static_cast<unsigned>(std::max(wanted, 1L)), turn);
  }
}

void Supervisor::handle(const event::ReloadAsked& /*event*/, Turn turn) {
  if (is_stopping()) {
    report(LogLevel::warn, "reload_refused", "reload refused: the container is stopping", nullptr,
           turn);
    for (const Program& program : programs_) {
      turn.out.push_back(action::RolloutEnded{program.id, false, "the container is stopping"});
    }
    return;
  }
  const bool any_left = std::ranges::any_of(
      programs_, [](const Program& program) { return program.stage != Program::Stage::finished; });
  for (Program& program : programs_) {
    if (any_left && program.stage == Program::Stage::finished) {
      // A job beside a service: that it is done must not make the service's reload a failure.
      turn.out.push_back(action::RolloutEnded{program.id, true, "the program has ended"});
    } else {
      begin_rollout(program, turn);
    }
  }
}

void Supervisor::handle(const event::RestartAsked& event, Turn turn) {
  if (event.program.value >= programs_.size() || phase_ != Phase::running) {
    return;
  }
  Program& program = programs_[event.program.value];
  if (event.slot.value >= program.slots.size() || !program.slots[event.slot.value].wanted) {
    return;
  }
  Slot& slot = program.slots[event.slot.value];
  if (slot.state == SlotState::finished && program.stage == Program::Stage::serving) {
    slot.state = SlotState::vacant;  // a person wants it back
  } else if (slot.state == SlotState::backing_off) {
    slot.retry_at = turn.now;
  } else if (slot.current) {
    Worker* worker = find(*slot.current);
    if (worker != nullptr && !worker->is_ready()) {
      end(*worker, EndReason::replaced,
          turn);  // nothing to preserve: its death makes room for the next
    } else {
      slot.replace_through = *slot.current;
      slot.replace_for = ReplaceFor::restart;
      slot.replace_after.reset();
    }
  }
}

void Supervisor::handle(const event::StopAsked& event, Turn turn) {
  const bool again = event.why == stop_why_ && turn.now - stop_asked_at_ >= kAgain;
  if (event.why != stop_why_) {
    stop_why_ = event.why;
    stop_asked_at_ = turn.now;
  }
  if (!is_stopping()) {
    stop_came_as_ = event.signal;
    begin_stop(0, event.why, event.quick, turn);
  } else if (event.quick || again) {
    hurry(turn);
  }
}

void Supervisor::handle(const event::NobodyLeft& /*event*/, Turn turn) {
  if (phase_ == Phase::sweeping) {
    phase_deadline_ = turn.now;
    swept_with_kill_ = true;  // nobody left to kill
  }
}

// ---- helpers

Worker* Supervisor::find(Incarnation incarnation) {
  const auto found = workers_.find(incarnation);
  return found == workers_.end() ? nullptr : &found->second;
}

unsigned Supervisor::ready_workers(const Program& program) const {
  return static_cast<unsigned>(std::ranges::count_if(workers_, [&](const auto& entry) {
    return entry.second.program == program.id && entry.second.is_ready();
  }));
}

// Those that say they are not ready count: they are no failures.
bool Supervisor::any_can_serve(const Program& program) const {
  return std::ranges::any_of(workers_, [&](const auto& entry) {
    return entry.second.program == program.id && entry.second.can_serve();
  });
}

// Where none says that it is ready, those that could are better than nobody: whoever comes all the same has not
// heard of it.
void Supervisor::update_serving(Program& program, Turn turn) {
  const auto all_that = [&](bool (Worker::*serves)() const) {
    std::vector<Incarnation> found;
    for (const Slot& slot : program.slots) {
      // A successor serves from the moment it is ready, when it becomes the current one.
      if (slot.current && (find(*slot.current)->*serves)()) {
        found.push_back(*slot.current);
      }
    }
    return found;
  };
  std::vector<Incarnation> serving = all_that(&Worker::is_ready);
  if (serving.empty()) {
    serving = all_that(&Worker::can_serve);
  }
  if (serving != program.served) {
    program.served = serving;
    turn.out.push_back(action::Serve{program.id, std::move(serving)});
  }
}

void Supervisor::report(LogLevel level, std::string_view event, Told told, const Worker* worker,
                        Turn turn) {
  action::Report entry{
      .level = level, .event = event, .message = {}, .program = {}, .slot = {}, .pid = {}};
  if (worker != nullptr) {
    entry.program = worker->program;
    if (!worker->spare) {
      entry.slot = worker->slot;
    }
    entry.pid = worker->pid;
    const std::string name = programs_.size() > 1 ? program_of(*worker).config.name + " " : "";
    const std::string pid = worker->pid ? fmt::format("worker {}", worker->pid->value()) : "worker";
    const std::string place = worker->spare ? "spare" : fmt::format("slot {}", worker->slot.value);
    told = fmt::format("{}{}: {} ", name, place, pid) + told;
  }
  if (told.plain != told.full) {
    entry.plain = std::move(told.plain);
  }
  entry.message = std::move(told.full);
  turn.out.push_back(std::move(entry));
}

}  // namespace ni
