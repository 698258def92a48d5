#include "core/oom.h"

#include <fmt/format.h>

#include "base/text.h"

namespace ni {
namespace {

constexpr int kAbortCode = 134;  // a shell between us and the worker turns SIGABRT into 128 + 6

std::string figures(const Resources& resources, const Plan& plan, std::optional<Bytes> used) {
  std::string text;
  if (resources.memory_limit) {
    text += fmt::format("limit {} ({})", format_size(resources.memory_limit->value),
                        printable(resources.memory_limit->source));
  } else {
    text += "no limit of this container is visible";
  }
  if (plan.memory_per_worker) {
    text += fmt::format(", its share {}", format_size(*plan.memory_per_worker));
  }
  if (plan.heap) {
    text += fmt::format(", its heap limit {} MiB", plan.heap->old_space_mib);
  }
  if (used) {
    text += fmt::format(", last seen using {}", format_size(*used));
  }
  return text;
}

// Why the kernel had to kill, as far as the figures tell.
std::string likely_cause(const Plan& plan, std::optional<Bytes> used) {
  if (!plan.heap) {
    return "the heap was not sized by nodeinit (" + plan.heap_reason +
           "): it may be larger than the worker's share";
  }
  const Bytes most_by_heap{(std::uint64_t{plan.heap->old_space_mib} +
                            3 * std::uint64_t{plan.heap->semi_space_mib} + kOutsideHeapMib) *
                           kMiB};
  if (used && *used > most_by_heap) {
    return "memory outside the heap (Buffers, native add-ons) is the cause: the heap's part is at "
           "most " +
           format_size(most_by_heap);
  }
  if (used && plan.memory_per_worker && *used < Bytes{plan.memory_per_worker->value / 2}) {
    return "this worker used little: another process of the container took the memory";
  }
  return "the heap alone stays below the share, so memory outside of it (Buffers, native add-ons) "
         "is the likely cause";
}

}  // namespace

std::string oom_counter_path(const Resources& resources) {
  const Hierarchy& place = resources.memory_hierarchy;
  if (!place.found()) {
    return {};
  }
  return place.levels.front() + (place.version == 1 ? "/memory.oom_control" : "/memory.events");
}

std::optional<std::uint64_t> parse_oom_kills(std::string_view text) {
  return parse_stat(text, "oom_kill");
}

bool OomLedger::claim(ExitStatus status, std::optional<std::uint64_t> now) {
  if (!explained_ || !now) {
    return false;
  }
  if (*now < *explained_) {
    explained_ = now;  // another group, or a counter that was set back
    return false;
  }
  if (!status.was(signals::kill) || *now == *explained_) {
    return false;
  }
  ++*explained_;
  return true;
}

MemoryVerdict judge_death(ExitStatus status, bool out_of_memory, const Resources& resources,
                          const Plan& plan, std::optional<Bytes> used) {
  if (out_of_memory) {
    return {MemoryDeath::oom_killed,
            fmt::format("killed by the kernel, out of memory: {}; {}",
                        figures(resources, plan, used), likely_cause(plan, used))};
  }
  if (status.was(signals::kill)) {
    return {MemoryDeath::killed,
            "SIGKILL from outside: the kernel counted no OOM kill in this container"};
  }
  if (status.was(signals::abort) || status == ExitStatus::exited(kAbortCode)) {
    return {MemoryDeath::heap_limit,
            fmt::format("aborted, as V8 does when its heap is full (its own message is above): {}",
                        figures(resources, plan, used))};
  }
  return {};
}

}  // namespace ni
