// How a worker is asked to end: quiet first, then the signal, then SIGKILL (the table in worker.h).

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {
namespace {

// A worker that failed us (never ready, unresponsive) gets SIGKILL so long after SIGTERM.
constexpr Duration kFailedTermTimeout = 5s;
// What is kept of the grace for a program whose drain was cut off: the signal ends it at once where
// it has no handler, and one that has got its signal long before.
constexpr Duration kLongestTermReserve = 500ms;

Duration term_reserve(Duration grace) {
  return std::min(grace / 16, kLongestTermReserve);
}

}  // namespace

// Asks a worker to end. The first reason stays, the earliest time to SIGKILL holds.
void Supervisor::end(Worker& worker, EndReason reason, Turn turn) {
  if (worker.end_reason == EndReason::not_asked) {
    worker.end_reason = reason;
    worker.asked_at = turn.now;
  }
  const Program& program = program_of(worker);
  const bool at_fault = reason == EndReason::never_ready || reason == EndReason::unresponsive;
  if (!at_fault && !worker.kill_by) {
    worker.kill_by = stays(worker) ? Instant::max() : kill_by(program, turn);
  }
  if (reason == EndReason::unresponsive && program.config.hang_signal == signals::kill) {
    input(worker, WorkerInput::kill, turn);
    return;
  }
  // A command that is not node itself and has never asked for a socket will not hear of a drain.
  const bool is_wrapped = worker.signal_group || worker.chain;
  const bool listens_to_us = !is_wrapped || worker.asked_for_socket;
  if (at_fault || !listens_to_us || program.config.stop == StopStyle::signal) {
    input(worker, WorkerInput::terminate, turn);
  } else if (program.config.stop == StopStyle::automatic && worker.module_inside && !worker.deaf) {
    input(worker, WorkerInput::retire, turn);
  } else {
    input(worker, WorkerInput::stop, turn);
  }
}

// What is done on entering a state (the table in worker.h says when). `terminating` and `killing`
// may be entered again, by a Spawned that came late or by the deadline of `killing`.
void Supervisor::enter(Worker& worker, WorkerState state, Turn turn) {
  worker.state = state;
  worker.deadline.reset();
  switch (state) {
    case WorkerState::parked:
    case WorkerState::starting:
    case WorkerState::dead:
      break;
    case WorkerState::ready:
      became_ready(worker, turn);
      break;
    case WorkerState::retiring: {
      const Instant drained = drained_by(worker, turn);
      const Duration quiet = std::min(settings_.grace / 4, kLongestQuiet);
      if (!stays(worker)) {
        worker.deadline = is_stopping() ? std::min(drained, turn.now + quiet) : drained;
      }
      ask_to_retire(worker, false, turn);
      break;
    }
    case WorkerState::draining:
      if (!worker.kill_by) {
        worker.kill_by = kill_by(program_of(worker), turn);
      }
      worker.deadline = drained_by(worker, turn);
      // One that is too busy to have heard will do so later; to disconnect it would cut what it has
      // not read yet.
      if (worker.retire_asked && !worker.deaf) {
        ask_to_retire(worker, true, turn);
      } else {
        turn.out.push_back(action::Disconnect{worker.incarnation});
      }
      break;
    case WorkerState::terminating:
      if (!worker.kill_by) {
        worker.kill_by = turn.now + std::min(settings_.grace, kFailedTermTimeout);
      }
      if (!is_stopping()) {  // what it needs from here on is the program's own time
        worker.kill_by = std::min(*worker.kill_by, turn.now + settings_.grace);
      }
      worker.deadline = worker.kill_by;
      send_stop_signal(worker, turn);
      break;
    case WorkerState::killing:
      worker.deadline = turn.now + kKillInterval;
      if (worker.pid) {
        const bool said = worker.end_reason == EndReason::unresponsive &&
                          program_of(worker).config.hang_signal == signals::kill;
        if (!worker.had_to_kill && !said) {
          report(LogLevel::warn, "worker_killed",
                 "did not end in time: SIGKILL to its process group", &worker, turn);
        }
        worker.had_to_kill = true;
        turn.out.push_back(
            action::SendSignal{worker.incarnation, *worker.pid, signals::kill, true});
      }
      break;
  }
}

void Supervisor::ask_to_retire(Worker& worker, bool late, Turn turn) {
  worker.retire_asked = true;
  turn.out.push_back(action::Retire{.worker = worker.incarnation,
                                    .signal = stop_signal(worker),
                                    .fixed = program_of(worker).config.stop_signal.has_value(),
                                    .stop = is_stopping(),
                                    .late = late,
                                    .stays = stays(worker)});
}

// Below a command that is run as it is. The command ends with it, and what a script does after its
// program (clean up, tell somebody) belongs to the end of the container, not to a reload.
bool Supervisor::stays(const Worker& worker) const {
  const bool has_successor =
      worker.end_reason == EndReason::replaced &&
      programs_[worker.program.value].slots[worker.slot.value].current != worker.incarnation;
  return worker.chain && has_successor && !is_stopping();
}

// Its program is gone. A script has its last lines; a wrapper that waits for more than that (for
// changed files, for whoever holds a pipe) gets the signal in its turn.
void Supervisor::leave_last_lines(Worker& worker, Turn turn) {
  worker.last_lines = true;
  const Instant until = turn.now + settings_.grace / 4;
  worker.deadline = std::min(worker.deadline.value_or(until), until);
}

void Supervisor::send_stop_signal(Worker& worker, Turn turn) {
  if (!worker.pid || std::exchange(worker.signalled, false)) {
    return;
  }
  const bool hangs = worker.end_reason == EndReason::unresponsive;
  const Signal chosen = hangs ? program_of(worker).config.hang_signal : stop_signal(worker);
  turn.out.push_back(
      action::SendSignal{worker.incarnation, *worker.pid, chosen, worker.signal_group});
}

// The one that the user chose, else that which the program handles, else that which has come.
Signal Supervisor::stop_signal(const Worker& worker) const {
  const auto& chosen = programs_[worker.program.value].config.stop_signal;
  if (chosen) {
    return *chosen;
  }
  return worker.handles ? *worker.handles : stop_came_as_.value_or(signals::term);
}

Instant Supervisor::kill_by(const Program& program, Turn turn) const {
  return is_stopping() ? stop_deadline_
                       : turn.now + program.config.drain.value_or(kDrainOfReload) + settings_.grace;
}

// Until when requests in flight are waited for; later than now.
Instant Supervisor::drained_by(const Worker& worker, Turn turn) const {
  const std::optional<Duration> drain = programs_[worker.program.value].config.drain;
  const Duration reserve = is_stopping() ? term_reserve(settings_.grace) : settings_.grace;
  const Instant latest = *worker.kill_by - reserve;
  const Instant wanted = drain ? std::min(latest, turn.now + *drain) : latest;
  return std::max(wanted, turn.now + 1ms);
}

// What is no request has had its time.
void Supervisor::retiring_deadline(Worker& worker, Turn turn) {
  // One that has closed its servers has had a signal from somebody else: not a second one until the
  // end. The others are told; the module gives the signal, so that it is given once.
  input(worker, worker.leaves ? WorkerInput::terminate : WorkerInput::deadline, turn);
}

void Supervisor::say_what_is_cut(const Worker& worker, Turn turn) {
  Program& program = program_of(worker);
  if (!worker.spare) {
    ++slot_of(worker).cut;
  }
  if (program.rollout && worker.incarnation <= program.rollout->through) {
    ++program.rollout->cut;
  }
  const std::string open =
      !worker.hears ? "its connections had not all ended"
                    : fmt::format("{} {} still in flight as it said last", worker.open_requests,
                                  worker.open_requests == 1 ? "request was" : "requests were");
  report(LogLevel::warn, "drain_cut_off",
         fmt::format("drain cut off after {}: {} (NODEINIT_GRACE, NODEINIT_DRAIN)",
                     format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(
                         turn.now - worker.asked_at)),
                     open),
         &worker, turn);
}

// ---- what the module inside says

void Supervisor::handle(const event::Retires& event, Turn /*turn*/) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  worker->hears = true;
  worker->handles = event.handles;
  worker->open_requests = event.open;
}

void Supervisor::handle(const event::Answered& event, Turn /*turn*/) {
  if (Worker* worker = find(event.worker)) {
    worker->lingers = true;
  }
}

void Supervisor::handle(const event::Quiet& event, Turn turn) {
  Worker* worker = find(event.worker);
  const bool asked = worker != nullptr && (worker->state == WorkerState::retiring ||
                                           worker->state == WorkerState::draining);
  if (asked) {
    input(*worker, WorkerInput::terminate, turn);
  }
}

void Supervisor::handle(const event::Signalled& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  if (event.open > 0) {
    report(LogLevel::info, "signalled_early",
           fmt::format("got its signal with {} {} in flight, which its own shutdown has to finish",
                       event.open, event.open == 1 ? "request" : "requests"),
           worker, turn);
  }
  worker->signalled = true;
  input(*worker, WorkerInput::terminate, turn);
}

void Supervisor::handle(const event::LeavesByItself& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker != nullptr &&
      (worker->state == WorkerState::retiring || worker->state == WorkerState::draining)) {
    worker->leaves = true;
    worker->deadline = drained_by(*worker, turn);
  }
}

void Supervisor::handle(const event::ServesOn& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker != nullptr && worker->state == WorkerState::terminating) {
    turn.out.push_back(action::Disconnect{event.worker});  // the last courtesy before SIGKILL
  }
}

void Supervisor::handle(const event::CannotRetire& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  worker->deaf = true;
  if (worker->state == WorkerState::draining) {
    turn.out.push_back(action::Disconnect{event.worker});
  } else if (worker->state == WorkerState::retiring) {
    input(*worker, WorkerInput::stop, turn);
  }
}

void Supervisor::handle(const event::AskedForPrimary& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr || std::exchange(program_of(*worker).told_primary, true)) {
    return;
  }
  report(LogLevel::warn, "own_cluster",
         fmt::format("the program asks cluster.isPrimary ({}), and it is false: nodeinit is the "
                     "primary, so code for a "
                     "primary of its own does not run. A program with a cluster of its own wants "
                     "NODEINIT_MODE=single; "
                     "else leave the cluster code out",
                     event.where),
         worker, turn);
}

}  // namespace ni
