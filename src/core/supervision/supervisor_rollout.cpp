// Replacing workers that work: reload, restart by hand, age, memory. One rule for all: a worker
// whose incarnation is not above its slot's `replace_through` gives way to a successor, at most
// `surge` at a time.

#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {

std::string_view to_string(ReplaceFor reason) {
  switch (reason) {
    case ReplaceFor::reload:
      return "reload";
    case ReplaceFor::restart:
      return "restart";
    case ReplaceFor::age:
      return "age";
    case ReplaceFor::memory:
      return "memory";
    case ReplaceFor::requests:
      return "requests";
    case ReplaceFor::loop_delay:
      return "loop delay";
    case ReplaceFor::heap:
      return "a smaller heap";
  }
  return "unknown";
}

void Supervisor::begin_rollout(Program& program, Turn turn) {
  if (program.stage != Program::Stage::serving) {
    const std::string why =
        program.stage == Program::Stage::finished
            ? "the program has ended"
            : "the program does not listen yet: there is nothing to replace without a loss";
    report(LogLevel::warn, "reload_refused", "reload refused: " + why, nullptr, turn);
    turn.out.push_back(action::RolloutEnded{program.id, false, why});
    return;
  }
  report(LogLevel::info, "reload_started",
         fmt::format("reload {}: {} {} to replace", program.rollout ? "started anew" : "started",
                     program.target, program.target == 1 ? "worker" : "workers"),
         nullptr, turn);
  program.rollout = Rollout{.through = last_incarnation_, .started_at = turn.now};
  // Spares are of the old release too.
  for (const Incarnation old : program.spares) {
    if (Worker* spare = find(old)) {
      end(*spare, EndReason::replaced, turn);
    }
  }
  for (Slot& slot : program.slots) {
    slot.replace_through = last_incarnation_;
    slot.replace_for = ReplaceFor::reload;
    slot.replace_after.reset();
    if (slot.state == SlotState::backing_off) {
      slot.retry_at = turn.now;  // what made it fail may be what the reload cures
    }
  }
}

// A guard has found it. The slot that it is to be replaced in; nullptr: it is not, or not any more.
Slot* Supervisor::to_be_guarded(const Worker* worker) {
  if (worker == nullptr || !worker->is_ready() || slot_of(*worker).current != worker->incarnation ||
      slot_of(*worker).wants_replacement()) {
    return nullptr;
  }
  return &slot_of(*worker);
}

void Supervisor::handle(const event::OverMemory& event, Turn turn) {
  Worker* worker = find(event.worker);
  Slot* slot = to_be_guarded(worker);
  if (slot == nullptr) {
    return;
  }
  const bool too_soon = replace_for(*slot, *worker, ReplaceFor::memory, turn);
  report(
      LogLevel::warn, "worker_over_memory",
      fmt::format("uses {} of the {} it may have{}: it is drained and replaced",
                  format_size(event.used), format_size(event.allowed),
                  too_soon ? ", so soon after its start (is NODEINIT_MAX_MEMORY too small?)" : ""),
      worker, turn);
}

void Supervisor::handle(const event::Served& event, Turn turn) {
  Worker* worker = find(event.worker);
  Slot* slot = to_be_guarded(worker);
  if (slot == nullptr || !worker->most_requests || event.requests < *worker->most_requests) {
    return;
  }
  const bool too_soon = replace_for(*slot, *worker, ReplaceFor::requests, turn);
  report(too_soon ? LogLevel::warn : LogLevel::info, "worker_served_enough",
         fmt::format(
             "has had {} requests{}: it is drained and replaced", event.requests,
             too_soon ? ", so soon after its start (is NODEINIT_MAX_REQUESTS too small?)" : ""),
         worker, turn);
}

void Supervisor::handle(const event::SlowLoop& event, Turn turn) {
  Worker* worker = find(event.worker);
  Slot* slot = to_be_guarded(worker);
  if (slot == nullptr || ready_workers(program_of(*worker)) < 2) {
    return;  // the last one is better than none
  }
  (void)replace_for(*slot, *worker, ReplaceFor::loop_delay, turn);
  const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(event.delay);
  report(LogLevel::warn, "worker_slow",
         fmt::format("its event loop answers after {} and has been slow for long, while others are "
                     "not: it is drained and replaced (NODEINIT_MAX_LOOP_DELAY)",
                     format_duration(delay)),
         worker, turn);
}

// True: it has just begun. What comes after it may soon be there again: not as fast as it can.
bool Supervisor::replace_for(Slot& slot, const Worker& worker, ReplaceFor reason, Turn turn) {
  slot.replace_through = worker.incarnation;
  slot.replace_for = reason;
  if (!worker.stable) {
    slot.replace_after =
        turn.now + slot.backoff.next(program_of(worker).config.restart_backoff, random_);
  }
  return !worker.stable;
}

void Supervisor::handle(const event::HeapTooLarge& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr || !worker->is_rising()) {
    return;
  }
  if (worker->spare) {
    end(*worker, EndReason::replaced, turn);
    return;
  }
  Slot& slot = slot_of(*worker);
  if (slot.successor == event.worker) {
    worker->heap_too_large = true;  // its turn comes when it has taken over
  } else if (!slot.wants_replacement()) {
    slot.replace_through = event.worker;
    slot.replace_for = ReplaceFor::heap;
  }
}

// The successor is the current one now, ready or before its time.
void Supervisor::take_over(Slot& slot) {
  slot.current = std::exchange(slot.successor, std::nullopt);
  const Worker* worker = slot.current ? find(*slot.current) : nullptr;
  if (worker != nullptr && worker->heap_too_large) {
    slot.replace_through = worker->incarnation;
    slot.replace_for = ReplaceFor::heap;
  }
}

void Supervisor::advance_replacements(Program& program, Turn turn) {
  // Under way: successors that rise, and predecessors not gone yet (their memory counts).
  std::size_t under_way = 0;
  std::size_t lingering = 0;
  for (const auto& [incarnation, worker] : workers_) {
    if (worker.program == program.id && !worker.spare) {
      const bool is_successor = program.slots[worker.slot.value].successor == incarnation;
      const bool goes = worker.end_reason == EndReason::replaced;
      const bool lingers = goes && worker.lingers && lingering < kMostLingering;
      lingering += lingers ? 1 : 0;
      under_way += is_successor || (goes && !lingers) ? 1 : 0;
    }
  }
  const bool break_before_make = program.config.surge == 0;
  const std::size_t at_once = break_before_make ? 1 : program.config.surge;
  if (break_before_make) {
    // One down at a time, whatever took it down: the next must be ready before the next slot's turn
    // comes.
    under_way +=
        static_cast<std::size_t>(std::ranges::count_if(program.slots, [this](const Slot& slot) {
          return slot.wanted && slot.state != SlotState::finished &&
                 !(slot.current && find(*slot.current)->state == WorkerState::ready);
        }));
  }
  for (Slot& slot : program.slots) {
    if (slot.replace_after && (!slot.wants_replacement() || *slot.replace_after <= turn.now)) {
      slot.replace_after.reset();
    }
  }
  for (Slot& slot : program.slots) {
    if (slot.replace_after || under_way >= (is_guard(slot.replace_for) ? 1 : at_once)) {
      continue;
    }
    Worker* current = slot.current ? find(*slot.current) : nullptr;
    if (!slot.wants_replacement() || slot.successor || current == nullptr ||
        current->state != WorkerState::ready) {
      continue;
    }
    ++under_way;
    ++slot.replacements[static_cast<std::size_t>(slot.replace_for)];
    report(LogLevel::info, "worker_replacing",
           fmt::format("is being replaced ({})", to_string(slot.replace_for)), current, turn);
    if (break_before_make) {
      // The next one must be ready before the next slot's turn comes: a slot without a ready worker
      // counts too.
      end(*current, EndReason::replaced, turn);
    } else if (Worker* spare = take_spare(program, slot.replace_through)) {
      promote(*spare, slot, turn);
    } else {
      spawn(program, slot, turn);
    }
  }
}

// A successor died or never got ready. Its predecessor goes on; if it was part of a reload, the
// reload has failed.
void Supervisor::replacement_failed(Program& program, Slot& slot, const Told& why, Turn turn) {
  if (!program.rollout) {
    std::string then = "the worker before it goes on";
    if (is_guard(slot.replace_for)) {
      const Duration delay = slot.backoff.next(program.config.restart_backoff, random_);
      slot.replace_after = turn.now + delay;
      then += fmt::format(", the next attempt in {}",
                          format_duration(std::chrono::ceil<std::chrono::milliseconds>(delay)));
    } else {
      slot.replace_through = Incarnation{};
    }
    report(LogLevel::error, "replacement_failed",
           fmt::format("slot {}: the replacement ({}) failed; {}", slot.id.value,
                       to_string(slot.replace_for), then),
           nullptr, turn);
    return;
  }
  program.rollout.reset();
  for (Slot& each : program.slots) {
    each.replace_through = Incarnation{};
    if (Worker* successor = each.successor ? find(*each.successor) : nullptr) {
      end(*successor, EndReason::rollout_failed, turn);
    }
  }
  const Told reason = fmt::format("the new worker of slot {} ", slot.id.value) + why;
  report(LogLevel::error, "reload_failed",
         "reload failed: " + reason + "; workers that were not replaced yet go on serving", nullptr,
         turn);
  turn.out.push_back(action::RolloutEnded{program.id, false, reason.full});
}

void Supervisor::finish_rollout_if_done(Program& program, Turn turn) {
  if (!program.rollout) {
    return;
  }
  for (const Slot& slot : program.slots) {
    if (!slot.wanted || slot.state == SlotState::finished) {
      continue;
    }
    const Worker* current = slot.current ? find(*slot.current) : nullptr;
    // One that was ready and has closed its servers since is a new one all the same.
    if (current == nullptr || current->state != WorkerState::ready || slot.wants_replacement()) {
      return;
    }
  }
  const bool old_ones_left = std::ranges::any_of(workers_, [&](const auto& entry) {
    const Worker& worker = entry.second;
    const bool is_done = stays(worker) && worker.lingers;
    return worker.program == program.id && entry.first <= program.rollout->through && !is_done;
  });
  if (old_ones_left) {
    return;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(turn.now - program.rollout->started_at);
  std::string loss;
  if (program.rollout->cut > 0) {
    loss = fmt::format("what {} old {} had in flight was cut off (NODEINIT_DRAIN)",
                       program.rollout->cut, program.rollout->cut == 1 ? "worker" : "workers");
  }
  program.rollout.reset();
  report(loss.empty() ? LogLevel::info : LogLevel::warn, "reload_done",
         fmt::format("reload done in {}: every worker is a new one{}{}", format_duration(took),
                     loss.empty() ? "" : ", but ", loss),
         nullptr, turn);
  turn.out.push_back(action::RolloutEnded{program.id, true, std::move(loss)});
}

}  // namespace ni
