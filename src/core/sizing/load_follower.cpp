#include "core/sizing/load_follower.h"

#include <algorithm>

namespace ni {

void LoadFollower::told(Incarnation worker, double idle, double active, Instant now) {
  const auto [found, is_new] = loops_.try_emplace(worker);
  Loop& loop = found->second;
  const double did = active - loop.active;
  const double all = did + idle - loop.idle;
  if (all > 0 && did >= 0 && !is_new) {
    loop.busy = std::min(did / all, 1.0);
  }
  loop.idle = idle;
  loop.active = active;
  loop.at = now;
}

double LoadFollower::busy(std::span<const Incarnation> ready, Instant now) const {
  double sum = 0;
  for (const Incarnation worker : ready) {
    const auto found = loops_.find(worker);
    if (found != loops_.end()) {
      sum += now - found->second.at >= kSilent ? 1.0 : found->second.busy;
    }
  }
  return ready.empty() ? 0 : sum / static_cast<double>(ready.size());
}

LoadFollower::Change LoadFollower::look(std::span<const Incarnation> ready, unsigned wanted,
                                        unsigned least, unsigned most, Instant now) {
  if (ready.size() != wanted || wanted == 0) {
    rest();
    return {};
  }
  const double seen = busy(ready, now);
  const double on_fewer = seen * wanted / std::max(wanted - 1, 1U);
  const auto since = [now](std::optional<Instant>& start, bool holds) {
    start = holds ? start.value_or(now) : std::optional<Instant>();
    return start ? now - *start : Duration(-1);
  };
  const Duration is_busy = since(busy_since_, wanted < most && seen >= kBusy);
  const Duration is_idle = since(idle_since_, wanted > least && on_fewer <= kIdle);
  if (is_busy >= kBusyFor) {
    if (fewer_at_ && now - *fewer_at_ < idle_for_) {
      idle_for_ = std::min(2 * idle_for_, kLongestIdle);
    } else {
      idle_for_ = kIdleFor;
    }
    fewer_at_.reset();
    rest();
    return {.by = 1, .busy = seen, .lasting = is_busy};
  }
  if (is_idle >= idle_for_) {
    fewer_at_ = now;
    rest();
    return {.by = -1, .busy = seen, .lasting = is_idle};
  }
  return {};
}

void LoadFollower::rest() {
  busy_since_.reset();
  idle_since_.reset();
}

}  // namespace ni
