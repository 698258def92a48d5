#pragma once

// When a dead worker is replaced, how long we wait before, and when we give up.

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "base/exit_status.h"
#include "base/random.h"
#include "base/types.h"
#include "core/settings/config.h"

namespace ni {

// A worker that was ready for so long was a good one: its slot's backoff starts anew, and older
// deaths of its program are no crash loop.
inline constexpr Duration kMinimumUptime = 10s;

enum class DeathCause : std::uint8_t {
  asked,           // we ended it: stop, scale down, replacement
  left_by_itself,  // exit code 0, or the program called disconnect() or kill() on its own worker
  crashed,
  never_ready,
  unresponsive,
  oom_killed,
  spawn_failed
};
inline constexpr std::size_t kDeathCauses = 7;

std::string_view to_string(DeathCause cause);

// Whether policy and stop codes want a worker that ended like this to be replaced. Those we ended
// for a fault of theirs (never_ready, unresponsive) count as failures whatever their exit code.
bool wants_restart(const ProgramConfig& config, DeathCause cause, ExitStatus status);

// Delays of one slot: the first, doubling up to the limit, each shortened by up to a fifth so that
// slots which died together do not come back together.
class BackoffState {
 public:
  Duration next(const Backoff& backoff, Random& random);
  void reset() { failures_ = 0; }
  unsigned failures() const { return failures_; }

 private:
  unsigned failures_ = 0;
};

// NODEINIT_RESTART_LIMIT, counted for each slot: the limit is reached when every slot of the program
// has reached it, so that more workers never mean less patience. A death counts when no worker of
// the program was ready at that moment. It is forgotten when the window has passed and a worker has stayed ready for
// kMinimumUptime since: without the second condition, a slow crash (a start of 20 s, a large
// backoff) would never fill any window and the loop would stay hidden from the orchestrator.
class CrashLoop {
 public:
  void record(const RestartIntensity& limit, Instant now);
  // A worker has been ready for kMinimumUptime.
  void stable(Instant now) { proven_at_ = now; }
  // Those that are not forgotten.
  std::size_t deaths(const RestartIntensity& limit, Instant now) const;
  bool reached(const RestartIntensity& limit, Instant now) const {
    return deaths(limit, now) >= limit.deaths;
  }

 private:
  std::deque<Instant> deaths_;  // at most RestartIntensity::deaths
  std::optional<Instant> proven_at_;
};

}  // namespace ni
