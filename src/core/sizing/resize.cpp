#include "core/sizing/resize.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace ni {
namespace {

// A change of direction within so many times the wanted stability counts as going back and forth.
constexpr int kSoon = 12;

std::uint64_t heap_mib(const Plan& plan) {
  return plan.heap ? plan.heap->old_space_mib : 0;
}

// A twentieth less is rounding, not a resize.
bool clearly_less(std::uint64_t now, std::uint64_t before) {
  return now < before - before / 20;
}

// 1: workers or, with as many of them, their heaps grow; -1: they shrink; 0: neither.
int direction_of(const Plan& from, const Plan& to) {
  if (from.workers != to.workers) {
    return to.workers > from.workers ? 1 : -1;
  }
  return clearly_less(heap_mib(from), heap_mib(to))   ? 1
         : clearly_less(heap_mib(to), heap_mib(from)) ? -1
                                                      : 0;
}

// In the part of a plan that matters here.
bool same_outcome(const Plan& one, const Plan& other) {
  return one.workers == other.workers && one.heap == other.heap;
}

}  // namespace

Resize::Resize(Plan running, ResizePolicy policy)
    : policy_(policy), running_(std::move(running)), stable_for_(policy.stable_for) {}

Resize::Need Resize::need_of(const Plan& plan) const {
  const bool less_memory = plan.memory && running_.memory && *plan.memory < *running_.memory;
  if (less_memory && plan.heap && clearly_less(heap_mib(plan), heap_mib(running_))) {
    return Need::less_memory;
  }
  if (plan.workers != running_.workers) {
    return Need::workers;
  }
  if (policy_.follow_larger_memory && running_.heap &&
      clearly_less(heap_mib(running_), heap_mib(plan))) {
    return Need::more_memory;
  }
  return Need::nothing;
}

Duration Resize::wait_for(Need need) const {
  return need == Need::less_memory ? policy_.less_memory_after : stable_for_;
}

void Resize::observe(const Plan& plan, Instant now) {
  if (need_of(plan) == Need::nothing) {
    pending_.reset();
    return;
  }
  if (!pending_ || !same_outcome(*pending_, plan)) {
    pending_since_ = now;
  }
  pending_ = plan;
}

std::optional<Instant> Resize::next_deadline() const {
  if (!pending_) {
    return std::nullopt;
  }
  return pending_since_ + wait_for(need_of(*pending_));
}

void Resize::lengthen_or_reset(const Plan& next, Instant now) {
  const int direction = direction_of(running_, next);
  const bool back_and_forth =
      last_direction_ == -direction && now - last_change_ < kSoon * stable_for_;
  stable_for_ =
      back_and_forth ? std::min(stable_for_ * 2, policy_.longest_stable_for) : policy_.stable_for;
  last_direction_ = direction;
  last_change_ = now;
}

std::optional<ResizeDecision> Resize::take_due(Instant now) {
  const auto deadline = next_deadline();
  if (!deadline || now < *deadline) {
    return std::nullopt;
  }
  const Plan next = *pending_;
  ResizeDecision decision{.workers = next.workers, .replace_workers = false, .reason = {}};
  // More workers in the same memory leave less to each: those that run have too large a heap, too.
  const bool smaller =
      next.heap && running_.heap && clearly_less(heap_mib(next), heap_mib(running_));
  const bool larger = policy_.follow_larger_memory && next.heap && running_.heap &&
                      clearly_less(heap_mib(running_), heap_mib(next));
  decision.replace_workers = smaller || larger;
  if (next.workers != running_.workers) {
    decision.reason =
        fmt::format("{} → {} workers: {}", running_.workers, next.workers, next.workers_reason);
  }
  if (decision.replace_workers) {
    decision.reason += fmt::format("{}heap {} → {} MiB each", decision.reason.empty() ? "" : ", ",
                                   heap_mib(running_), heap_mib(next));
  }
  lengthen_or_reset(next, now);
  running_ = next;
  pending_.reset();
  return decision;
}

}  // namespace ni
