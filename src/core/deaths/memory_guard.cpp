#include "core/deaths/memory_guard.h"

namespace ni {

bool MemoryGuard::look(Incarnation worker, Bytes used, Bytes allowed) {
  if (used <= allowed) {
    above_.erase(worker);
    return false;
  }
  unsigned& looks = above_[worker];
  if (++looks < kLooksInARow) {
    return false;
  }
  looks = 0;
  return true;
}

std::optional<Bytes> memory_allowed(const std::optional<MemoryAmount>& setting,
                                    std::optional<Bytes> share) {
  if (!setting || (setting->percent != 0 && !share)) {
    return std::nullopt;
  }
  return setting->percent == 0 ? setting->bytes : Bytes{share->value / 100 * setting->percent};
}

}  // namespace ni
