#include "core/deaths/oom.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/printable_path.h"

namespace ni {
namespace {

constexpr int kAbortCode = 134;  // a shell between us and the worker turns SIGABRT into 128 + 6

std::string figures(const Resources& resources, const Plan& plan, std::optional<Bytes> peak) {
  std::string text;
  if (resources.memory_limit) {
    text += fmt::format("limit {} ({})", format_size(resources.memory_limit->value),
                        printable_path(resources.memory_limit->source));
  } else {
    text += "no limit of this container is visible";
  }
  if (plan.memory_per_worker) {
    text += fmt::format(", its share {}", format_size(*plan.memory_per_worker));
  }
  if (plan.heap) {
    text += fmt::format(", its heap limit {} MiB", plan.heap->old_space_mib);
  }
  if (peak) {
    text += fmt::format(", at most {} resident", format_size(*peak));
  }
  return text;
}

// V8's last words: "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of
// memory", and the same end after "Ineffective mark-compacts near heap limit", "CALL_AND_RETRY_LAST"
// (Node 12 to 26).
bool names_full_heap(std::string_view words) {
  return words.find("heap out of memory") != std::string_view::npos ||
         words.find("heap limit") != std::string_view::npos;
}

// Why the kernel had to kill, as far as the figures tell.
std::string likely_cause(const Plan& plan, std::optional<Bytes> peak) {
  if (!plan.heap) {
    return "the heap was not sized by nodeinit (" + plan.heap_reason +
           "): it may be larger than the worker's share";
  }
  const Bytes most_by_heap{(std::uint64_t{plan.heap->old_space_mib} +
                            3 * std::uint64_t{plan.heap->semi_space_mib} + kOutsideHeapMib) *
                           kMiB};
  if (peak && *peak > most_by_heap) {
    return "memory outside the heap (Buffers, native add-ons) is the cause: the heap's part is at "
           "most " +
           format_size(most_by_heap);
  }
  if (peak && plan.memory_per_worker && *peak < Bytes{plan.memory_per_worker->value / 2}) {
    return "this worker used little: another process of the container took the memory";
  }
  return "the heap alone stays below the share, so memory outside of it (Buffers, native add-ons) "
         "is the likely cause";
}

}  // namespace

bool OomLedger::claim(ExitStatus status, std::optional<std::uint64_t> counter) {
  if (!explained_ || !counter) {
    return false;
  }
  if (*counter < *explained_) {
    explained_ = counter;  // another group, or a counter that was set back
    return false;
  }
  if (!status.was(signals::kill) || *counter == *explained_) {
    return false;
  }
  ++*explained_;
  return true;
}

std::uint64_t OomLedger::unexplained(std::optional<std::uint64_t> counter) const {
  return explained_ && counter && *counter > *explained_ ? *counter - *explained_ : 0;
}

std::uint64_t OomLedger::settle(std::optional<std::uint64_t> counter, Instant now) {
  if (!explained_ || !counter || (seen_at_ && now - *seen_at_ < kPatience)) {
    return 0;
  }
  const std::uint64_t before = *explained_;
  if (seen_at_) {
    explained_ = std::max(*explained_, std::min(seen_, *counter));
  }
  seen_ = *counter;
  seen_at_ = now;
  return *explained_ - before;
}

std::uint64_t OomLedger::settle_all(std::optional<std::uint64_t> counter) {
  const std::uint64_t kills = unexplained(counter);
  if (explained_ && counter) {
    explained_ = counter;
  }
  return kills;
}

std::string tell_of_others(std::uint64_t kills, const Resources& resources) {
  return fmt::format(
      "the kernel has killed {} of this container that {} no worker, out of memory: {}; helpers "
      "that a program starts take memory that no heap limit counts",
      kills == 1 ? "a process" : fmt::format("{} processes", kills), kills == 1 ? "is" : "are",
      resources.memory_limit
          ? fmt::format("limit {} ({})", format_size(resources.memory_limit->value),
                        printable_path(resources.memory_limit->source))
          : "no limit of this container is visible");
}

MemoryVerdict judge_death(const WorkerEnd& end, const Resources& resources, const Plan& plan) {
  const std::string told = figures(resources, plan, end.peak_memory);
  if (end.out_of_memory) {
    return {MemoryDeath::oom_killed, fmt::format("killed by the kernel, out of memory: {}; {}",
                                                 told, likely_cause(plan, end.peak_memory))};
  }
  if (end.status.was(signals::kill)) {
    return {MemoryDeath::killed, "SIGKILL from outside: the kernel has counted no OOM kill for it"};
  }
  if (!end.status.was(signals::abort) && end.status != ExitStatus::exited(kAbortCode)) {
    return {};
  }
  if (names_full_heap(end.last_words)) {
    return {MemoryDeath::heap_limit, "V8 has aborted it: its heap is full: " + told +
                                         "; if it is no leak: a larger limit, or fewer workers "
                                         "(NODEINIT_MAX_WORKERS)"};
  }
  if (!end.last_words.empty()) {
    return {};  // an abort for another reason, which the last words tell
  }
  return {MemoryDeath::heap_limit,
          fmt::format("aborted, as V8 does when its heap is full (its own message is above): {}",
                      told)};
}

}  // namespace ni
