#include "core/supervision/restart.h"

#include <algorithm>

namespace ni {
namespace {

// A backoff that begins with none has this for its second delay: from zero no doubling leads away.
constexpr Duration kFirstAfterNone = 100ms;

}  // namespace

std::string_view to_string(DeathCause cause) {
  switch (cause) {
    case DeathCause::asked:
      return "asked";
    case DeathCause::left_by_itself:
      return "left_by_itself";
    case DeathCause::crashed:
      return "crashed";
    case DeathCause::never_ready:
      return "never_ready";
    case DeathCause::unresponsive:
      return "unresponsive";
    case DeathCause::oom_killed:
      return "oom_killed";
    case DeathCause::spawn_failed:
      return "spawn_failed";
  }
  return "unknown";
}

bool wants_restart(const ProgramConfig& config, DeathCause cause, ExitStatus status) {
  if (!status.by_signal() &&
      std::ranges::find(config.stop_codes, status.as_exit_code()) != config.stop_codes.end()) {
    return false;
  }
  switch (config.restart) {
    case RestartMode::automatic:
    case RestartMode::always:
      return true;
    case RestartMode::on_failure:
      return cause != DeathCause::left_by_itself && cause != DeathCause::asked;
    case RestartMode::never:
      return false;
  }
  return true;
}

Duration BackoffState::next(const Backoff& backoff, Random& random) {
  Duration delay = backoff.first;
  for (unsigned i = 0; i < failures_ && delay < backoff.limit; ++i) {
    delay = delay == 0s ? kFirstAfterNone : delay * 2;
  }
  ++failures_;
  return random.jittered(std::min(delay, backoff.limit), 20);
}

void CrashLoop::record(const RestartIntensity& limit, Instant now) {
  if (deaths_.size() >= limit.deaths) {
    deaths_.pop_front();  // the other slots have not come so far
  }
  deaths_.push_back(now);
}

std::size_t CrashLoop::deaths(const RestartIntensity& limit, Instant now) const {
  return static_cast<std::size_t>(std::ranges::count_if(deaths_, [&](Instant death) {
    const bool outlived = proven_at_ && death < *proven_at_;
    return !outlived || death + limit.window >= now;
  }));
}

}  // namespace ni
