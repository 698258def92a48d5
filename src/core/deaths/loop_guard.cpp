#include "core/deaths/loop_guard.h"

#include <algorithm>
#include <utility>

namespace ni {

LoopGuard::Finding LoopGuard::look(std::span<const Look> workers, const LoopDelayLimit& limit,
                                   Instant now) {
  std::map<Incarnation, Instant> before = std::exchange(slow_since_, {});
  std::optional<Look> slow;
  for (const Look& each : workers) {
    if (each.delay <= limit.delay) {
      continue;
    }
    const auto known = before.find(each.worker);
    const Instant since = known == before.end() ? now : known->second;
    slow_since_[each.worker] = since;
    if (now - since >= limit.lasting && (!slow || each.delay > slow->delay)) {
      slow = each;
    }
  }
  if (slow_since_.size() < workers.size()) {
    told_all_ = false;
  }
  if (!slow) {
    return {};
  }
  if (slow_since_.size() == workers.size()) {
    return {.slow = {}, .all_are = !std::exchange(told_all_, true)};
  }
  slow_since_.erase(slow->worker);  // told; if nothing comes of it, again after as long
  return {.slow = slow, .all_are = false};
}

}  // namespace ni
