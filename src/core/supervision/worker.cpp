#include "core/supervision/worker.h"

namespace ni {
namespace {

using enum WorkerState;
using Cell = std::optional<WorkerState>;
using Row = std::array<Cell, kWorkerInputs>;

constexpr Cell stay = std::nullopt;
constexpr Cell to(WorkerState state) {
  return state;
}

// clang-format off
constexpr std::array<Row, kWorkerStates> kTable = {{
    //                  promoted      ready      deadline          retire            stop              terminate         channel closed    kill          exited
    /* parked      */ {{to(starting), stay,      stay,             to(terminating),  to(terminating),  to(terminating),  stay,             to(killing),  to(dead)}},
    /* starting    */ {{stay,         to(ready), to(terminating),  to(terminating),  to(terminating),  to(terminating),  stay,             to(killing),  to(dead)}},
    /* ready       */ {{stay,         stay,      stay,             to(retiring),     to(draining),     to(terminating),  to(draining),     to(killing),  to(dead)}},
    /* retiring    */ {{stay,         stay,      to(draining),     stay,             to(draining),     to(terminating),  to(draining),     to(killing),  to(dead)}},
    /* draining    */ {{stay,         stay,      to(terminating),  stay,             stay,             to(terminating),  to(terminating),  to(killing),  to(dead)}},
    /* terminating */ {{stay,         stay,      to(killing),      stay,             stay,             stay,             stay,             to(killing),  to(dead)}},
    /* killing     */ {{stay,         stay,      to(killing),      stay,             stay,             stay,             stay,             stay,         to(dead)}},
    /* dead        */ {{stay,         stay,      stay,             stay,             stay,             stay,             stay,             stay,         stay}},
}};
// clang-format on

constexpr Cell cell(WorkerState state, WorkerInput input) {
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(input)];
}

constexpr bool never_goes_back() {
  for (std::size_t state = 0; state < kWorkerStates; ++state) {
    for (const Cell& next : kTable[state]) {
      const bool again = next == killing && state == static_cast<std::size_t>(killing);
      if (next && static_cast<std::size_t>(*next) <= state && !again) {
        return false;
      }
    }
  }
  return true;
}

constexpr bool only_exit_means_dead() {
  for (std::size_t state = 0; state < kWorkerStates; ++state) {
    for (std::size_t input = 0; input < kWorkerInputs; ++input) {
      const bool dies = kTable[state][input] == dead;
      const bool may_die = input == static_cast<std::size_t>(WorkerInput::exited) &&
                           state != static_cast<std::size_t>(dead);
      if (dies != may_die) {
        return false;
      }
    }
  }
  return true;
}

// However deaf the worker is: the wish that it ends, and time, are enough.
constexpr bool then_deadlines_reach_killing(WorkerInput wish) {
  for (std::size_t first = 0; first < static_cast<std::size_t>(dead); ++first) {
    auto state = static_cast<WorkerState>(first);
    state = cell(state, wish).value_or(state);
    for (std::size_t step = 0; step < kWorkerStates; ++step) {
      state = cell(state, WorkerInput::deadline).value_or(state);
    }
    if (state != killing) {
      return false;
    }
  }
  return true;
}

static_assert(never_goes_back() && only_exit_means_dead() &&
              then_deadlines_reach_killing(WorkerInput::stop) &&
              then_deadlines_reach_killing(WorkerInput::retire));

}  // namespace

std::optional<WorkerState> next_state(WorkerState state, WorkerInput input) {
  return cell(state, input);
}

Ending ending_of(const Worker& worker, ExitStatus status) {
  if (worker.was_asked_to_end()) {
    return worker.had_to_kill && worker.end_reason == EndReason::container_stop ? Ending::cut_short
                                                                                : Ending::in_order;
  }
  const bool by_itself = worker.end_reason == EndReason::not_asked;
  return by_itself && status.success() ? Ending::in_order : Ending::failed;
}

std::string_view to_string(WorkerState state) {
  switch (state) {
    case parked:
      return "spare";
    case starting:
      return "starting";
    case ready:
      return "ready";
    case retiring:
      return "retiring";
    case draining:
      return "draining";
    case terminating:
      return "terminating";
    case killing:
      return "killing";
    case dead:
      return "dead";
  }
  return "unknown";
}

std::string_view shown_state(const Worker& worker) {
  return worker.unavailable && worker.state == WorkerState::ready ? "unavailable"
                                                                  : to_string(worker.state);
}

}  // namespace ni
