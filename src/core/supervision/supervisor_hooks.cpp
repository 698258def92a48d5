// The hooks: a command before the first worker, and one after the last.

#include <fmt/format.h>

#include "base/text.h"
#include "core/supervision/supervisor.h"

namespace ni {
namespace {

// However late the workers have ended, post_stop gets so long.
constexpr Duration kShortestConclusion = 2s;

std::string_view name_of(Hook hook) {
  return hook == Hook::pre_start ? "pre_start" : "post_stop";
}

}  // namespace

// pre_start takes as long as it takes (a migration does), post_stop what is left of the grace.
void Supervisor::run_hook(Hook hook, Turn turn) {
  last_incarnation_ = Incarnation{last_incarnation_.value + 1};
  hook_ = RunningHook{
      .hook = hook, .process = last_incarnation_, .pid = {}, .asked_to_end = {}, .deadline = {}};
  if (hook == Hook::post_stop) {
    stop_deadline_ = std::max(stop_deadline_, turn.now + kShortestConclusion);
    hook_->deadline = stop_deadline_;
  }
  turn.out.push_back(action::RunHook{hook_->process, hook});
}

void Supervisor::start_programs(Turn turn) {
  phase_ = Phase::running;
  started_programs_ = true;
  for (Program& program : programs_) {
    set_target(program, program.target, turn);
  }
}

void Supervisor::hook_started(Pid pid, Turn turn) {
  hook_->pid = pid;
  report(LogLevel::info, "hook_started",
         fmt::format("{}: started as {}", name_of(hook_->hook), pid.value()), nullptr, turn);
  if (hook_->asked_to_end) {  // while it was being started: now there is somebody to tell
    end_hook(*hook_->asked_to_end, turn);
  }
}

void Supervisor::end_hook(Signal signal, Turn turn) {
  hook_->asked_to_end = signal;
  hook_->deadline = signal == signals::kill ? turn.now + kKillInterval : stop_deadline_;
  if (hook_->pid) {
    turn.out.push_back(action::SendSignal{hook_->process, *hook_->pid, signal, true});
  }
}

Ending Supervisor::hook_ending(ExitStatus status) const {
  if (status.success()) {
    return Ending::in_order;
  }
  return hook_ && hook_->asked_to_end ? Ending::cut_short : Ending::failed;
}

void Supervisor::hook_deadline(Turn turn) {
  if (!hook_ || !hook_->deadline || *hook_->deadline > turn.now) {
    return;
  }
  if (hook_->asked_to_end != signals::kill) {
    report(
        LogLevel::warn, "hook_killed",
        fmt::format("{}: did not end in time: SIGKILL to its process group", name_of(hook_->hook)),
        nullptr, turn);
  }
  end_hook(signals::kill, turn);
}

void Supervisor::hook_ended(ExitStatus status, const std::string& words, Turn turn) {
  const bool was_started = hook_->pid.has_value();
  const bool cut_short = hook_->asked_to_end.has_value();
  const Hook hook = hook_->hook;
  hook_.reset();
  const int code = status.as_exit_code();
  Told story = std::string(name_of(hook)) +
               (was_started ? ": ended (" + to_string(status) + ")" : ": could not be started");
  if (!words.empty() && code != 0) {
    story.full += (was_started ? ", its last words: " : ": ") + words;
  }
  report(code == 0 ? LogLevel::info : LogLevel::error, "hook_ended", story, nullptr, turn);
  if (hook == Hook::post_stop) {
    finish(turn);
  } else if (!is_stopping()) {
    if (code == 0) {
      start_programs(turn);
    } else {
      begin_stop(code, story, false, turn);
    }
  } else if (cut_short && exit_code_ == 0) {
    exit_code_ = code;  // a preparation cut short has not succeeded
  }
}

}  // namespace ni
