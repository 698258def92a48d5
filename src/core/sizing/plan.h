#pragma once

// What we decide from what the container grants: how many workers, and what heap each gets. Every
// number has its reason.
//
//   by CPU     max(1, floor(cpus), ceil(cpus / 1.2))         fewest workers that can use the CPUs:
//                                                            one with its helper threads uses 1.2
//   by memory  max(1, floor((memory - reserve) / 128 MiB))   reserve: the larger of 32 MiB and 5 %
//   workers    the smaller of both; what the user says explicitly wins
//
// When neither a quota nor a cpuset narrows the CPUs down they are shared with the rest of the
// machine: at most 16 are used.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "core/container/resources.h"
#include "core/settings/config.h"
#include "core/sizing/heap.h"

namespace ni {

struct SizingRequest {
  WorkerCount workers = {};                            // the setting, or WEB_CONCURRENCY
  std::optional<unsigned> max_workers = std::nullopt;  // does not bound an explicit N
  unsigned spares = 0;  // parked workers: they need memory, but no CPU
  bool heap_auto = true;
  std::optional<std::string> heap_option =
      std::nullopt;  // the user sizes the heap already, by this option
  // This program's part of the container, in thousandths (core/sizing/shares.h).
  unsigned cpu_share = 1000;
  unsigned memory_share = 1000;
  std::optional<MemoryAmount> memory = std::nullopt;  // of the container, to plan with
};

struct Plan {
  unsigned workers = 1;         // at most, and heaps are for so many
  unsigned least_workers = 1;   // fewer only where the load decides (core/sizing/load_follower.h)
  MilliCpu cpus;                // this program's share
  std::optional<Bytes> memory;  // this program's share, before the reserve
  // After the reserve, spares counted. Of a limit only: where there is none nobody is held to a part of
  // the machine.
  std::optional<Bytes> memory_per_worker;
  std::optional<HeapSize> heap;  // nullopt: left to Node or the user

  // The user's own percentage of the container is divided among so many; 1: it is left alone.
  unsigned percentage_among = 1;

  std::string workers_reason;           // one line: "ceil(1.5 CPUs / 1.2) = 2"
  std::string heap_reason;              // one line
  std::vector<std::string> steps;       // the arithmetic of the workers, line by line
  std::vector<std::string> heap_steps;  // that of the heap
  std::vector<std::string> warnings;    // what the user should know

  bool follows_load() const { return least_workers < workers; }
  // The number of workers by this plan, where so many are wanted now.
  unsigned fit(unsigned wanted) const { return std::clamp(wanted, least_workers, workers); }
};

Plan make_plan(const Resources& resources, const SizingRequest& request);

// max(1, floor(cpus), ceil(cpus / 1.2)) in integers.
unsigned workers_for_cpus(MilliCpu cpus);

// The larger of 32 MiB and 5 %: nodeinit itself, page cache, short peaks.
Bytes memory_reserve(Bytes memory);

inline constexpr unsigned kMostSharedCpus = 16;
inline constexpr Bytes kLeastPerWorker{128 * kMiB};

}  // namespace ni
