// Spares: workers that are started and loaded like any other, but whose questions for sockets are
// not answered until they are needed. A promotion costs one answer in place of one start of Node.

#include <fmt/format.h>

#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {

// A spare is missing, and no slot is in greater need: a spare is of no use where a worker is
// missing.
bool Supervisor::wants_spare(const Program& program) const {
  const bool slots_full = std::ranges::all_of(program.slots, [](const Slot& slot) {
    return !slot.wanted || slot.state == SlotState::occupied || slot.state == SlotState::finished;
  });
  // Those that end hold their memory until they are gone.
  const auto alive = std::ranges::count_if(workers_, [&](const auto& entry) {
    return entry.second.program == program.id && entry.second.spare;
  });
  return program.stage == Program::Stage::serving && slots_full &&
         static_cast<std::size_t>(alive) < program.config.spares;
}

void Supervisor::fill_spares(Program& program, Turn turn) {
  std::erase_if(program.spares, [this](Incarnation spare) {
    const Worker* worker = find(spare);
    return worker == nullptr || worker->state != WorkerState::parked;
  });
  while (wants_spare(program) && program.spare_retry_at <= turn.now) {
    const unsigned instance = lowest_free_instance(program);
    Worker& worker = make_worker(program, turn);
    worker.instance = instance;
    worker.spare = true;
    worker.state = WorkerState::parked;
    program.spares.push_back(worker.incarnation);
    turn.out.push_back(action::Spawn{.worker = worker.incarnation,
                                     .program = program.id,
                                     .slot = {},
                                     .instance = instance,
                                     .slots = program.target,
                                     .inspector = take_inspector(program, worker),
                                     .alone = false,
                                     .parked = true});
  }
}

// The oldest spare that is loaded and newer than that incarnation.
Worker* Supervisor::take_spare(Program& program, Incarnation newer_than) {
  for (const Incarnation spare : program.spares) {
    Worker* worker = find(spare);
    if (worker != nullptr && worker->state == WorkerState::parked && worker->asked_for_socket &&
        spare > newer_than) {
      return worker;
    }
  }
  return nullptr;
}

void Supervisor::promote(Worker& spare, Slot& slot, Turn turn) {
  std::erase(program_of(spare).spares, spare.incarnation);
  spare.spare = false;
  spare.slot = slot.id;
  occupy(slot, spare.incarnation);
  input(spare, WorkerInput::promoted, turn);
  spare.deadline = turn.now + patience(program_of(spare), spare);
  report(LogLevel::info, "spare_promoted", "was a spare and takes the slot", &spare, turn);
  turn.out.push_back(action::Promote{spare.incarnation, slot.id});
  // What it said while it was parked holds.
  const Readiness ready = program_of(spare).config.ready;
  if ((ready == Readiness::online && spare.online) ||
      (ready == Readiness::message && spare.said_ready)) {
    input(spare, WorkerInput::ready, turn);
  }
}

// A spare brings its number along (NODEINIT_SLOT stands in its environment), and the next spare gets
// the one that became free. When that one is loaded it takes its place among those that serve, and
// whoever has a number beyond the slots gives way: the numbers 0…N−1 serve, a leader (number 0) is
// there from its first line on, and never twice.
void Supervisor::restore_numbers(Program& program, Turn turn) {
  const auto rising = std::ranges::count_if(workers_, [&](const auto& entry) {
    return entry.second.program == program.id && !entry.second.spare && entry.second.is_rising();
  });
  const bool replacing = std::ranges::any_of(
      program.slots, [](const Slot& slot) { return slot.successor || slot.wants_replacement(); });
  if (program.rollout || replacing || program.config.surge == 0 ||
      static_cast<std::size_t>(rising) > program.target) {
    return;
  }
  for (const Incarnation id : std::vector(program.spares)) {
    Worker* spare = find(id);
    if (spare == nullptr || spare->state != WorkerState::parked || !spare->asked_for_socket ||
        spare->instance >= program.target) {
      continue;
    }
    for (Slot& slot : program.slots) {
      const Worker* current = slot.current ? find(*slot.current) : nullptr;
      if (slot.wanted && !slot.successor && current != nullptr && current->is_ready() &&
          current->instance >= program.target) {
        return promote(*spare, slot, turn);  // one at a time
      }
    }
  }
}

unsigned Supervisor::spares_ready(const Program& program) const {
  return static_cast<unsigned>(std::ranges::count_if(program.spares, [this](Incarnation id) {
    const auto spare = workers_.find(id);
    return spare != workers_.end() && spare->second.state == WorkerState::parked &&
           spare->second.asked_for_socket;
  }));
}

void Supervisor::spare_died(Program& program, const Worker& worker, const Told& story, Turn turn) {
  if (is_stopping() || worker.end_reason != EndReason::not_asked) {
    report(LogLevel::info, "worker_ended", story, &worker, turn);
    return;
  }
  ++program.spare_deaths;
  const Duration delay = program.spare_backoff.next(program.config.restart_backoff, random_);
  program.spare_retry_at = turn.now + delay;
  report(LogLevel::warn, "spare_died",
         story + ("; the next spare in " +
                  format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(delay))),
         &worker, turn);
}

}  // namespace ni
