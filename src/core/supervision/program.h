#pragma once

// A command with its slots. A slot is a stable place 0…N−1: `wanted` is desired state, the worker
// in it is actual state, and what must outlive a worker (backoff, last death) is kept here:
//
//   vacant → occupied → (died) backing_off → occupied …     an unwanted slot becomes vacant
//                     → (died, policy says enough) finished
//
// While a worker is replaced, make-before-break, the slot has two: `current` serves until
// `successor` is ready.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/settings/config.h"
#include "core/supervision/restart.h"
#include "core/supervision/worker.h"

namespace ni {

enum class SlotState : std::uint8_t { vacant, occupied, backing_off, finished };

// Why a worker that works is replaced. Guards (all but what people ask for) take one worker at a
// time, whatever the surge, and try again later when the successor fails.
enum class ReplaceFor : std::uint8_t { reload, restart, age, memory, requests, loop_delay, heap };
inline constexpr std::size_t kReplaceReasons = 7;
std::string_view to_string(ReplaceFor reason);
inline bool is_guard(ReplaceFor reason) {
  return reason != ReplaceFor::reload && reason != ReplaceFor::restart;
}

struct Death {
  DeathCause cause = DeathCause::asked;
  ExitStatus status = ExitStatus::exited(0);
  Instant at;
};

struct Slot {
  SlotId id;
  bool wanted = true;
  SlotState state = SlotState::vacant;
  std::optional<Incarnation> current;    // set exactly while occupied
  std::optional<Incarnation> successor;  // only beside a current
  Instant retry_at;                      // while backing_off
  BackoffState backoff;
  CrashLoop crash_loop;
  // A worker up to this incarnation is to be replaced. Zero: none is.
  Incarnation replace_through;
  ReplaceFor replace_for = ReplaceFor::reload;
  std::optional<Instant> replace_after;  // not before; only while a replacement is wanted

  // For people and metrics.
  unsigned restarts = 0;
  unsigned cut = 0;                                      // drains that were cut off
  std::array<unsigned, kReplaceReasons> replacements{};  // begun
  std::array<unsigned, kDeathCauses> deaths{};
  std::optional<Death> last_death;

  bool wants_replacement() const { return wanted && current && *current <= replace_through; }
};

// A rolling reload: every worker up to `through` gives way to a successor. A second reload while
// one runs only raises `through`, so that what the first one has started is replaced too.
struct Rollout {
  Incarnation through;
  Instant started_at;
  unsigned cut = 0;  // old workers that had to end with something in flight
};

// What the supervisor has to know of a program besides its configuration.
struct ProgramPlan {
  ProgramConfig config;
  unsigned workers = 1;  // from core/sizing/plan
  bool signal_group =
      false;  // SIGTERM for the whole process group: a wrapper (sh, npm) would keep it to itself
  bool module_inside = false;  // its workers have the module that can retire them
  bool adopts = false;         // its first worker is a chain, see Program
};

struct Program {
  // probing: the first worker is alone, it may be a program that ends by itself. serving: it is
  // known to be a server (it asked for a socket or is ready by another rule). finished: nothing of
  // it will be started again.
  enum class Stage : std::uint8_t { probing, serving, finished };

  ProgramId id;
  ProgramConfig config;
  bool signal_group = false;
  bool module_inside = false;
  // The command is run as it is, with no channel, until a process below it is adopted; from then on
  // workers are started as that one was.
  bool adopts = false;
  unsigned target = 1;
  Stage stage = Stage::probing;
  std::vector<Slot>
      slots;  // grows to the largest target ever; those beyond `target` are not wanted
  std::vector<Incarnation> spares;  // parked, the oldest first; at most config.spares
  BackoffState spare_backoff;
  unsigned spare_deaths = 0;  // that nobody asked for
  Instant spare_retry_at;
  std::optional<Rollout> rollout;
  bool told_elsewhere = false;      // that a worker listens where the others do not
  bool told_primary = false;        // that its code for a primary does not run
  bool listeners_closed = false;    // it has finished, and its clients are refused
  std::optional<int> exit_code;     // first failure, or the last exit
  std::vector<Incarnation> served;  // the last action::Serve, in slot order
};

}  // namespace ni
