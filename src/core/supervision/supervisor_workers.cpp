// The life of a worker and of the slot it is in.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {
namespace {

// A worker past its age that is still there is looked at again after so long.
constexpr Duration kLongestRetirement = 60s;

// What is said of a death.
Told tell(const Death& death, const std::string& last_words) {
  const std::string status = to_string(death.status);
  std::string story;
  switch (death.cause) {
    case DeathCause::spawn_failed:
      // The reason may quote a file of variables.
      return {"could not be started", "could not be started: " + last_words};
    case DeathCause::asked:
      return {fmt::format("ended ({})", status)};
    case DeathCause::left_by_itself:
      story = fmt::format("left by itself ({})", status);
      break;
    case DeathCause::oom_killed:
      story = fmt::format("was killed by the kernel: out of memory ({})", status);
      break;
    case DeathCause::crashed:
    case DeathCause::never_ready:
    case DeathCause::unresponsive:
      story = fmt::format("died: {}", status);
      break;
  }
  return {story, last_words.empty() ? story : story + ", its last words: " + last_words};
}

}  // namespace

Worker& Supervisor::make_worker(Program& program, Turn turn) {
  last_incarnation_ = Incarnation{last_incarnation_.value + 1};
  Worker worker;
  worker.incarnation = last_incarnation_;
  worker.program = program.id;
  worker.spawned_at = turn.now;
  worker.signal_group = program.signal_group;
  worker.module_inside = program.module_inside;
  worker.counts_servers = program.config.ready == Readiness::listen;
  return workers_.emplace(worker.incarnation, worker).first->second;
}

// Without spares a worker has the number of its slot. A promoted spare brings its own along, and
// the next spare gets the one that became free.
unsigned Supervisor::lowest_free_instance(const Program& program) const {
  std::vector<bool> taken(program.target + program.config.spares + 1);
  for (const auto& [incarnation, worker] : workers_) {
    if (worker.program == program.id && worker.is_rising() && worker.instance < taken.size()) {
      taken[worker.instance] = true;
    }
  }
  return static_cast<unsigned>(std::ranges::find(taken, false) - taken.begin());
}

// Its instance's; while that still belongs to its predecessor, the first free one behind all slots.
unsigned Supervisor::take_inspector(const Program& program, Worker& worker) {
  const auto is_taken = [&](unsigned number) {
    return std::ranges::any_of(workers_, [&](const auto& entry) {
      return entry.second.program == program.id && entry.second.inspector == number;
    });
  };
  unsigned number = worker.instance;
  for (unsigned other = program.target + program.config.spares; is_taken(number); ++other) {
    number = other;
  }
  worker.inspector = number;
  return number;
}

// A new worker for the slot: its first, or the successor of its current one.
void Supervisor::spawn(Program& program, Slot& slot, Turn turn) {
  const Worker* predecessor = slot.current ? find(*slot.current) : nullptr;
  const unsigned instance = predecessor != nullptr       ? predecessor->instance
                            : program.config.spares == 0 ? slot.id.value
                                                         : lowest_free_instance(program);
  Worker& worker = make_worker(program, turn);
  worker.slot = slot.id;
  worker.instance = instance;
  worker.chain = program.adopts;
  // A program that may be a job has all the time it wants, only a line is said then; a server is late
  // when others of it have listened, or when readiness is what the user has chosen a sign for.
  occupy(slot, worker.incarnation);
  worker.deadline = turn.now + patience(program, worker);
  turn.out.push_back(action::Spawn{.worker = worker.incarnation,
                                   .program = program.id,
                                   .slot = slot.id,
                                   .instance = instance,
                                   .slots = program.target,
                                   .inspector = take_inspector(program, worker),
                                   .alone = program.stage == Program::Stage::probing,
                                   .chain = worker.chain,
                                   .parked = false});
}

void Supervisor::occupy(Slot& slot, Incarnation worker) {
  if (slot.state == SlotState::occupied) {
    slot.successor = worker;
  } else {
    slot.restarts += slot.state == SlotState::backing_off ? 1 : 0;
    slot.state = SlotState::occupied;
    slot.current = worker;
  }
}

void Supervisor::fill_vacancies(Program& program, Turn turn) {
  for (Slot& slot : program.slots) {
    const bool may_start = program.stage == Program::Stage::serving || slot.id.value == 0;
    const bool empty = slot.state == SlotState::vacant || slot.state == SlotState::backing_off;
    if (!slot.wanted || !may_start || !empty) {
      continue;
    }
    if (Worker* spare = take_spare(program, Incarnation{})) {  // it has shown that it can start
      promote(*spare, slot, turn);
    } else if (slot.state == SlotState::vacant || slot.retry_at <= turn.now) {
      spawn(program, slot, turn);
    }
  }
}

void Supervisor::input(Worker& worker, WorkerInput input, Turn turn) {
  if (input == WorkerInput::ready && worker.unavailable) {
    worker.ready_but_for_its_word = true;
    return;
  }
  if (const auto next = next_state(worker.state, input)) {
    enter(worker, *next, turn);
  }
}

// How long a worker may take to be ready, or until a line says that it is not. Where nobody has said
// how long, a successor may take as long as its predecessor did, and more: the old one serves on, but
// a reload must end.
Duration Supervisor::patience(const Program& program, const Worker& worker) const {
  constexpr Duration kUsual = 60s;
  if (program.config.ready_timeout) {
    return *program.config.ready_timeout;
  }
  const Slot& slot = program.slots[worker.slot.value];
  const auto predecessor =
      slot.successor == worker.incarnation ? workers_.find(*slot.current) : workers_.end();
  const bool known = predecessor != workers_.end() && predecessor->second.ready_at.has_value();
  return known ? std::max(kUsual,
                          3 * (*predecessor->second.ready_at - predecessor->second.spawned_at))
               : kUsual;
}

std::string Supervisor::started_for(const Worker& worker, Turn turn) {
  return format_duration(
      std::chrono::duration_cast<std::chrono::milliseconds>(turn.now - worker.spawned_at));
}

void Supervisor::worker_deadline(Worker& worker, Turn turn) {
  Program& program = program_of(worker);
  if (worker.state == WorkerState::starting && may_be_job(worker)) {
    worker.deadline.reset();
    report(LogLevel::warn, "program_not_listening",
           fmt::format("runs for {} and has not listened: as long as it does not, it runs alone "
                       "and is not ready. If it is a consumer that listens on nothing, set "
                       "NODEINIT_READY=online; if it is a job or to be run once, set "
                       "NODEINIT_MODE=single",
                       started_for(worker, turn)),
           &worker, turn);
  } else if (worker.state == WorkerState::starting && worker.elsewhere) {
    report(LogLevel::error, "worker_listens_elsewhere",
           "listens nowhere where the worker before it does: it is ended", &worker, turn);
    end(worker, EndReason::never_ready, turn);
  } else if (worker.state == WorkerState::starting && !program.config.ready_timeout &&
             program.slots[worker.slot.value].successor != worker.incarnation) {
    worker.deadline.reset();
    report(
        LogLevel::warn, "worker_not_ready",
        fmt::format("has not been ready for {}: it goes on. NODEINIT_READY_TIMEOUT says when one "
                    "has failed and is replaced",
                    started_for(worker, turn)),
        &worker, turn);
  } else if (worker.state == WorkerState::starting) {
    report(LogLevel::error, "worker_never_ready",
           fmt::format("was not ready within {}: it is ended", started_for(worker, turn)), &worker,
           turn);
    end(worker, EndReason::never_ready, turn);
  } else if (worker.state == WorkerState::retiring) {
    retiring_deadline(worker, turn);
  } else if (worker.state == WorkerState::terminating && std::exchange(worker.last_lines, false)) {
    worker.deadline = worker.kill_by;
    worker.signalled = false;
    send_stop_signal(worker, turn);
  } else if (worker.state != WorkerState::ready) {
    if (worker.state == WorkerState::draining && !std::exchange(worker.last_lines, false)) {
      say_what_is_cut(worker, turn);
    }
    input(worker, WorkerInput::deadline, turn);
  } else {
    ready_deadline(worker, turn);
  }
}

// A ready worker has proved itself, or has come to its age.
void Supervisor::ready_deadline(Worker& worker, Turn turn) {
  Program& program = program_of(worker);
  Slot& slot = slot_of(worker);
  const Instant stable_at = *worker.ready_at + kMinimumUptime;
  if (!worker.stable && stable_at <= turn.now) {
    worker.stable = true;
    if (!slot.wants_replacement()) {  // one that is above its memory has proved nothing
      slot.backoff.reset();
    }
    for (Slot& each : program.slots) {
      each.crash_loop.stable(turn.now);
    }
  }
  if (worker.retire_at && *worker.retire_at <= turn.now) {
    if (slot.current == worker.incarnation && !slot.wants_replacement()) {
      slot.replace_through = worker.incarnation;
      slot.replace_for = ReplaceFor::age;
    }
    // A reload that fails forgets what was to be replaced.
    const Duration age = program.config.max_age.value_or(kLongestRetirement);
    worker.retire_at = turn.now + std::min(age, kLongestRetirement);
  }
  worker.deadline = worker.retire_at;
  if (!worker.stable && (!worker.deadline || stable_at < *worker.deadline)) {
    worker.deadline = stable_at;
  }
}

void Supervisor::became_ready(Worker& worker, Turn turn) {
  Slot& slot = slot_of(worker);
  worker.ready_at = turn.now;
  if (const auto age = program_of(worker).config.max_age) {
    worker.retire_at = turn.now + random_.jittered(*age, 10);
  }
  if (const auto most = program_of(worker).config.max_requests) {
    const std::uint64_t spread = most->requests * most->spread / 100;
    worker.most_requests = most->requests - spread + random_.below(2 * spread + 1);
  }
  ready_deadline(worker, turn);
  report(LogLevel::info, "worker_ready",
         fmt::format("is ready after {}",
                     format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(
                         turn.now - worker.spawned_at))),
         &worker, turn);
  became_server(program_of(worker), turn);
  if (slot.successor == worker.incarnation) {
    Worker* predecessor = find(*slot.current);
    take_over(slot);
    if (NI_ASSERT(predecessor != nullptr)) {
      end(*predecessor, EndReason::replaced, turn);
    }
  }
  if (!slot.wanted) {
    end(worker, EndReason::scaled_down, turn);
  }
}

// The program is a server: the others may start.
void Supervisor::became_server(Program& program, Turn /*turn*/) {
  if (program.stage == Program::Stage::probing) {
    program.stage = Program::Stage::serving;
  }
}

// A worker is gone (it is no longer in workers_): what becomes of its slot.
void Supervisor::died(Worker worker, ExitStatus status, DeathCause cause,
                      const std::string& last_words, Turn turn) {
  Program& program = program_of(worker);
  const Death death{.cause = cause, .status = status, .at = turn.now};
  const Told story = tell(death, last_words);
  worker.state = WorkerState::dead;
  if (worker.spare) {
    spare_died(program, worker, story, turn);
    return;
  }
  Slot& slot = slot_of(worker);
  ++slot.deaths[static_cast<std::size_t>(cause)];
  slot.last_death = death;
  if (slot.successor == worker.incarnation) {
    slot.successor.reset();
    if (cause != DeathCause::asked) {
      report(LogLevel::error, "worker_died", story, &worker, turn);
      replacement_failed(program, slot, story, turn);
    }
  } else if (slot.current == worker.incarnation) {
    vacate(program, slot, worker, death, story, turn);
  } else {
    report(LogLevel::info, "worker_ended", story, &worker, turn);
  }
}

// It may be a job: nothing has shown that it is a service. Whoever sets NODEINIT_READY=online has said
// that it is.
bool Supervisor::is_unproven(const Program& program) {
  return program.stage == Program::Stage::probing && program.config.ready != Readiness::online;
}

// The slot has lost its current worker.
void Supervisor::vacate(Program& program, Slot& slot, const Worker& worker, const Death& death,
                        const Told& story, Turn turn) {
  take_over(slot);
  if (slot.current) {  // the successor takes over before its time
    report(LogLevel::warn, "worker_died", story + "; its successor is on its way", &worker, turn);
    return;
  }
  slot.state = SlotState::vacant;
  if (is_stopping() || death.cause == DeathCause::asked) {
    report(LogLevel::info, "worker_ended", story, &worker, turn);
    if (is_unproven(program) && is_stopping()) {
      program.exit_code = death.status.as_exit_code();  // a job cut short has not succeeded
    }
    return;
  }
  const int code = death.status.as_exit_code();
  const bool is_job = is_unproven(program) && program.config.restart == RestartMode::automatic;
  if (is_job && death.cause != DeathCause::never_ready && !worker.lacked) {
    report(code == 0 ? LogLevel::info : LogLevel::error, "program_ended",
           story + ", without ever listening: it ran once", &worker, turn);
    slot.state = SlotState::finished;
    program_finished(
        program, code,
        fmt::format("the program ended without listening ({})", to_string(death.status)), turn);
    return;
  }
  if (!worker.lacked && !wants_restart(program.config, death.cause, death.status)) {
    report(LogLevel::warn, "worker_died",
           story + "; it is not restarted (NODEINIT_RESTART, NODEINIT_STOP_CODES)", &worker, turn);
    slot.state = SlotState::finished;
    if (program.exit_code.value_or(0) == 0) {
      program.exit_code = code;  // the first failure's stays
    }
    // While the first one is alone the other slots are vacant, and now nobody will fill them.
    const bool alone = program.stage == Program::Stage::probing;
    const bool all_finished = std::ranges::all_of(program.slots, [alone](const Slot& each) {
      return !each.wanted || each.state == SlotState::finished ||
             (alone && each.state == SlotState::vacant);
    });
    if (all_finished) {
      program_finished(program, *program.exit_code,
                       "every worker has ended and none is to be restarted", turn);
    }
    return;
  }
  if (program.rollout && worker.incarnation > program.rollout->through && !worker.ready_at) {
    replacement_failed(program, slot, story, turn);
  }
  if (!any_can_serve(program)) {
    slot.crash_loop.record(program.config.restart_limit, turn.now);
  }
  if (!any_can_serve(program) && restart_limit_reached(program, turn.now)) {
    const Told why =
        fmt::format("restart limit reached: {} deaths{} and no worker ready; the last one ",
                    slot.crash_loop.deaths(program.config.restart_limit, turn.now),
                    program.target > 1 ? " of every slot" : "") +
        story;
    report(LogLevel::error, "restart_limit", why, &worker, turn);
    const bool hides_failure = code == 0 && death.cause != DeathCause::left_by_itself;
    slot.state = SlotState::finished;
    program_finished(program, hides_failure ? 1 : code, why, turn);
    return;
  }
  const Duration delay = slot.backoff.next(program.config.restart_backoff, random_);
  slot.state = SlotState::backing_off;
  slot.retry_at = turn.now + delay;
  report(LogLevel::warn, "worker_died",
         story + ("; restarting in " +
                  format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(delay))),
         &worker, turn);
}

// By the slot that has lived best. One that has finished will not come back; while the first worker
// is alone, the other slots have not begun.
bool Supervisor::restart_limit_reached(const Program& program, Instant now) {
  const bool alone = program.stage == Program::Stage::probing;
  return std::ranges::all_of(program.slots, [&](const Slot& slot) {
    const bool counts =
        slot.wanted && slot.state != SlotState::finished && (!alone || slot.id.value == 0);
    return !counts || slot.crash_loop.reached(program.config.restart_limit, now);
  });
}

// A wish from outside: before the start it is noted, after the stop it is too late.
void Supervisor::change_target(Program& program, unsigned workers, Turn turn) {
  if (phase_ < Phase::running) {
    program.target = workers;
  } else if (phase_ == Phase::running) {
    set_target(program, workers, turn);
  }
}

void Supervisor::set_target(Program& program, unsigned workers, Turn turn) {
  program.target = workers;
  while (program.slots.size() < workers) {
    Slot slot;
    slot.id = SlotId{static_cast<std::uint32_t>(program.slots.size())};
    program.slots.push_back(std::move(slot));
  }
  turn.out.push_back(action::SetSlots{program.id, workers});
  for (Slot& slot : program.slots) {
    const bool wanted = slot.id.value < workers;
    if (slot.wanted == wanted) {
      continue;
    }
    slot.wanted = wanted;
    if (wanted) {
      continue;
    }
    for (const auto leaving : {slot.current, slot.successor}) {
      if (Worker* worker = leaving ? find(*leaving) : nullptr) {
        end(*worker, EndReason::scaled_down, turn);
      }
    }
    if (slot.state != SlotState::occupied) {
      slot.state = SlotState::vacant;
      slot.backoff.reset();
      slot.crash_loop = {};
    }
  }
}

}  // namespace ni
