// The laws that hold after each step (world.h).

#include <fmt/format.h>
#include <algorithm>

#include "world.h"

namespace ni::simulation {

void World::law(bool held, const std::string& what) {
  if (!held) {
    broken_laws_.push_back(fmt::format(
        "seed {} at {} ms (step {}): {}", seed_,
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count(),
        steps_, what));
  }
}

void World::check_laws() {
  std::size_t ready = 0;
  for (const Program& program : supervisor_.programs()) {
    std::size_t rising = 0;
    std::size_t spares = 0;
    std::map<SlotId, unsigned> in_slot;
    for (const auto& [incarnation, worker] : supervisor_.workers()) {
      if (worker.program != program.id) {
        continue;
      }
      ready += worker.is_ready() ? 1 : 0;
      if (worker.spare) {
        spares += worker.state == WorkerState::parked ? 1 : 0;
      } else if (worker.state <= WorkerState::ready) {
        ++rising;
        ++in_slot[worker.slot];
      }
      if (worker.state >= WorkerState::draining) {
        law(worker.deadline.has_value(), "a worker that ends has a deadline");
      }
    }
    law(rising <= program.target + program.config.surge,
        "never more rising workers than target and surge");
    law(spares <= program.config.spares, "never more spares than asked for");
    // Successors of a reload that has failed may still be on their way out.
    const auto guarded = std::ranges::count_if(program.slots, [this](const Slot& slot) {
      return slot.successor && slot.wants_replacement() && is_guard(slot.replace_for) &&
             supervisor_.workers().at(*slot.successor).is_rising();
    });
    law(guarded <= 1, "guards replace one worker at a time");
    for (const Slot& slot : program.slots) {
      law(in_slot[slot.id] <= (slot.successor ? 2U : 1U),
          "two rising workers in a slot are current and successor");
    }
    check_slots(program);
  }
  check_signals();
  least_ready_ = std::min(least_ready_.value_or(ready), ready);
  const auto deadline = supervisor_.next_deadline();
  law(finished_ || !deadline || *deadline > now_, "no deadline is left in the past");
  if (stop_began_ && !finished_) {
    const Duration conclusion = settings_.post_stop ? 3s : 0s;
    law(now_ <= *stop_began_ + settings_.grace + 2s + conclusion, "the stop ends within the grace");
    law(deadline.has_value(), "a stop always has a deadline");
  }
  law(reaped_.empty(), "who is reaped is forgotten in the same turn");
  if (finished_) {
    check_end();
  }
}

void World::check_slots(const Program& program) {
  for (const Slot& slot : program.slots) {
    law((slot.state == SlotState::occupied) == slot.current.has_value(),
        "occupied slots have a current worker");
    law(!slot.successor || slot.current, "a successor stands beside a current worker");
    for (const auto held : {slot.current, slot.successor}) {
      law(!held || supervisor_.workers().contains(*held), "slots hold living workers");
    }
    const bool serves = !finished_ && supervisor_.phase() == Phase::running &&
                        program.stage == Program::Stage::serving && slot.wanted;
    law(!serves || slot.state != SlotState::vacant,
        "a wanted slot of a server is never left vacant");
    law(!serves || slot.state != SlotState::backing_off ||
            slot.retry_at <= now_ + program.config.restart_backoff.limit,
        "a slot is tried again after the longest delay at the latest");
  }
}

void World::check_end() {
  law(supervisor_.workers().empty(), "no worker is left at the end");
  law(processes_.empty(), "no process is left at the end");
  law(ending_.listeners_closed && ending_.swept, "the end closes what listens and sweeps");
  const bool asked = finished_->reason.starts_with("SIG");
  law(!asked || !ending_.killed || finished_->exit_code != 0,
      "a stop that had to kill a worker is no success");
}

// A program that handles its signal has had it soon after a stop began, whatever is open, unless it
// was too busy to hear: no platform tells how long it waits.
void World::check_signals() {
  if (supervisor_.phase() != Phase::stopping || !stop_began_) {
    return;
  }
  const Duration bound = std::min(settings_.grace / 4, Supervisor::kLongestQuiet);
  const Instant latest = *stop_began_ + settings_.stop_delay + bound;
  for (const auto& [pid, process] : processes_) {
    const auto found = supervisor_.workers().find(process.worker);
    if (found == supervisor_.workers().end() || process.leaves) {
      continue;
    }
    const Program& program = supervisor_.programs()[found->second.program.value];
    const bool by_module = program.module_inside && !process.deaf && process.handles &&
                           program.config.stop == StopStyle::automatic && process.heard_at;
    law(!by_module || process.signalled || now_ <= std::max(latest, *process.heard_at) + 1ms,
        "a program that handles its signal gets it in the first quarter of the grace");
  }
}

}  // namespace ni::simulation
