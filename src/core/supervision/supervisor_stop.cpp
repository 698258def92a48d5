// How the container ends.

#include <fmt/format.h>

#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {
namespace {

// A quick stop: SIGTERM to all, SIGKILL so long after.
constexpr Duration kQuickGrace = 2s;
// Processes that workers left behind get so long after SIGTERM, if the grace leaves as much.
constexpr Duration kLongestSweep = 5s;
// A stopped one among them has not heard of it: SIGCONT so long after, for of two pending signals
// the handler of the second runs first.
constexpr Duration kBeforeContinue = 500ms;
// After SIGKILL to what is left there is nothing to do but to be seen reaping.
constexpr Duration kAfterKill = 1s;

}  // namespace

void Supervisor::begin_stop(int exit_code, const Told& why, bool quick, Turn turn) {
  if (is_stopping()) {
    return;
  }
  exit_code_ = exit_code;
  exit_reason_ = why.full;
  stop_deadline_ = turn.now + settings_.grace;
  phase_ = Phase::lingering;
  for (Program& program : programs_) {
    if (program.rollout) {
      program.rollout.reset();
      turn.out.push_back(action::RolloutEnded{program.id, false, "the container is stopping"});
    }
  }
  const bool asked = exit_code == 0;
  if (hook_) {
    end_hook(signals::term, turn);
  }
  const std::string whom = workers_.empty()
                               ? ""
                               : fmt::format("; {} {} to end within {}", workers_.size(),
                                             workers_.size() == 1 ? "worker" : "workers",
                                             format_duration(settings_.grace));
  report(LogLevel::info, "stopping", "stopping: " + why + whom, nullptr, turn);
  if (quick) {
    hurry(turn);
  } else if (asked && settings_.stop_delay > 0s && !workers_.empty()) {
    phase_deadline_ = turn.now + settings_.stop_delay;
  } else {
    drain_all(turn);
  }
}

void Supervisor::drain_all(Turn turn) {
  phase_ = Phase::stopping;
  phase_deadline_.reset();
  turn.out.push_back(action::StopAccepting{});
  for (auto& [incarnation, worker] : workers_) {
    worker.kill_by = std::min(worker.kill_by.value_or(stop_deadline_), stop_deadline_);
    const WorkerState before = worker.state;
    end(worker, EndReason::container_stop, turn);
    // One that retires for a reload had minutes.
    if (worker.state == before &&
        (before == WorkerState::retiring || before == WorkerState::draining)) {
      enter(worker, before, turn);
    }
    // One that was ending already has its own, later deadline: the container's holds.
    if (worker.deadline && *worker.deadline > stop_deadline_) {
      worker.deadline = stop_deadline_;
    }
  }
}

// The second SIGTERM, SIGQUIT: no drain.
void Supervisor::hurry(Turn turn) {
  if (phase_ == Phase::sweeping) {
    phase_deadline_ = turn.now;
    return;
  }
  if (hook_) {
    stop_deadline_ = std::min(stop_deadline_, turn.now + kQuickGrace);
    end_hook(signals::term, turn);
  }
  if (phase_ == Phase::concluding) {
    return;
  }
  phase_ = Phase::stopping;
  phase_deadline_.reset();
  stop_deadline_ = std::min(stop_deadline_, turn.now + kQuickGrace);
  report(LogLevel::info, "stopping_quickly",
         fmt::format("quick stop: SIGTERM to all, SIGKILL in {}",
                     format_duration(stop_deadline_ - turn.now)),
         nullptr, turn);
  for (auto& [incarnation, worker] : workers_) {
    if (worker.end_reason == EndReason::not_asked) {
      worker.end_reason = EndReason::container_stop;
    }
    worker.kill_by = std::min(worker.kill_by.value_or(stop_deadline_), stop_deadline_);
    input(worker, WorkerInput::terminate, turn);
    if (worker.deadline && *worker.deadline > stop_deadline_) {
      worker.deadline = stop_deadline_;
    }
  }
}

// One program has ended for good. Whether the container ends with it, core/settings/configure.h
// says.
void Supervisor::program_finished(Program& program, int exit_code, const Told& why, Turn turn) {
  program.stage = Program::Stage::finished;
  program.exit_code = exit_code;
  const bool all = std::ranges::all_of(
      programs_, [](const Program& each) { return each.stage == Program::Stage::finished; });
  if (all || program.config.essential) {
    begin_stop(exit_code, programs_.size() > 1 ? (program.config.name + ": ") + why : why, false,
               turn);
    return;
  }
  report(exit_code == 0 ? LogLevel::info : LogLevel::warn, "program_finished",
         fmt::format("{} has ended for good with code {} (", program.config.name, exit_code) + why +
             "); the others go on, it is not essential",
         nullptr, turn);
  for (Slot& slot : program.slots) {
    slot.wanted = false;
    slot.state = slot.current ? SlotState::occupied : SlotState::finished;
  }
  for (auto& [incarnation, worker] : workers_) {
    if (worker.program == program.id) {
      end(worker, EndReason::scaled_down, turn);
    }
  }
}

void Supervisor::advance_stop(Turn turn) {
  if (phase_ == Phase::lingering && phase_deadline_ && *phase_deadline_ <= turn.now) {
    drain_all(turn);
  }
  if ((phase_ == Phase::lingering || phase_ == Phase::stopping) && workers_.empty() && !hook_) {
    phase_ = Phase::sweeping;
    const Instant latest = std::max(stop_deadline_, turn.now + kQuickGrace / 4);
    phase_deadline_ = std::min(turn.now + kLongestSweep, latest);
    continue_at_ = turn.now + std::min(kBeforeContinue, (*phase_deadline_ - turn.now) / 2);
    turn.out.push_back(action::CloseListeners{});
    turn.out.push_back(action::SignalRemaining{signals::term});
    return;
  }
  if (phase_ != Phase::sweeping) {
    return;
  }
  if (*phase_deadline_ > turn.now) {
    if (continue_at_ && *continue_at_ <= turn.now) {
      continue_at_.reset();
      turn.out.push_back(action::SignalRemaining{signals::cont});
    }
    return;
  }
  continue_at_.reset();
  if (!swept_with_kill_) {
    swept_with_kill_ = true;
    phase_deadline_ = turn.now + kAfterKill;
    turn.out.push_back(action::SignalRemaining{signals::kill});
    return;
  }
  phase_deadline_.reset();
  if (settings_.post_stop && started_programs_) {
    phase_ = Phase::concluding;
    run_hook(Hook::post_stop, turn);
  } else {
    finish(turn);
  }
}

void Supervisor::finish(Turn turn) {
  phase_ = Phase::stopped;
  int code = exit_code_;
  for (const Program& program : programs_) {
    if (code == 0 && program.stage == Program::Stage::probing && program.config.essential) {
      code = program.exit_code.value_or(0);
    }
  }
  if (code == 0 && had_to_kill_) {
    code = 128 + signals::kill.number();
  }
  turn.out.push_back(action::Finish{code, exit_reason_});
}

}  // namespace ni
