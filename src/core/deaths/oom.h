#pragma once

// Whether a worker died of memory, and of which. The kernel counts its OOM kills per group
// (memory.events of v2, memory.oom_control of v1), and counts before it sends the signal
// (mm/oom_kill.c __oom_kill_process, Linux 6.1), so that a SIGKILL death with a new kill in the
// counter is one, and any other SIGKILL came from somebody else. V8's own heap limit ends in an
// abort instead (SIGABRT, 134), after a message of its own.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/exit_status.h"
#include "base/file_reader.h"
#include "base/types.h"
#include "core/container/resources.h"
#include "core/sizing/plan.h"

namespace ni {

// Assigns the kernel's kills to deaths: each kill explains one death.
class OomLedger {
 public:
  // `counter` at the start; nullopt: it cannot be read, and no death is ever claimed.
  explicit OomLedger(std::optional<std::uint64_t> counter) : explained_(counter) {}
  // A process of the container died; `counter` was read after the death. True: by the OOM killer.
  bool claim(ExitStatus status, std::optional<std::uint64_t> counter);
  // Kills that no death has come with yet.
  std::uint64_t unexplained(std::optional<std::uint64_t> counter) const;
  // To be told the counter now and then. A kill whose death has not come within kPatience was that
  // of a process which somebody else has waited for (a worker's own), and explains no later death.
  // How many such kills there were.
  std::uint64_t settle(std::optional<std::uint64_t> counter, Instant now);
  // The same at once, when no process of ours is on its way to its end.
  std::uint64_t settle_all(std::optional<std::uint64_t> counter);

  static constexpr Duration kPatience = 10s;

 private:
  std::optional<std::uint64_t> explained_;
  std::uint64_t seen_ = 0;
  std::optional<Instant> seen_at_;
};

enum class MemoryDeath : std::uint8_t {
  none,        // nothing to do with memory, as far as can be told
  oom_killed,  // by the kernel
  killed,      // SIGKILL, but not by the OOM killer of this group
  heap_limit,  // aborted, and V8 does this when the heap is full
};

struct MemoryVerdict {
  MemoryDeath death = MemoryDeath::none;
  std::string
      message;  // for the log: what happened, the figures, the likely cause. Empty for `none`
};

// How one worker ended.
struct WorkerEnd {
  ExitStatus status;
  bool out_of_memory = false;        // as the ledger says
  std::optional<Bytes> peak_memory;  // the most that was resident
  std::string last_words;            // of its standard error; empty: not known
};

// The line for `kills` by the kernel of processes that are no workers: a worker's helper takes memory
// that no heap option counts, and nobody but its parent hears of its end.
std::string tell_of_others(std::uint64_t kills, const Resources& resources);

MemoryVerdict judge_death(const WorkerEnd& end, const Resources& resources, const Plan& plan);

}  // namespace ni
