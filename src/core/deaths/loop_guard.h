#pragma once

// NODEINIT_MAX_LOOP_DELAY: which worker's event loop has been slow all the time for long enough,
// while others are not. Where all are slow it is the load, and a new worker would be as slow: that
// is told, once, until one of them is not.

#include <map>
#include <optional>
#include <span>

#include "base/types.h"
#include "core/settings/config.h"

namespace ni {

class LoopGuard {
 public:
  struct Look {  // at a ready worker
    Incarnation worker;
    Duration delay;  // of its latest answer, or of the one that is still to come
  };
  struct Finding {
    std::optional<Look> slow;  // the slowest of those that have been for long enough
    bool all_are = false;      // said once
  };
  // All ready workers of a program at once, now and then; an Instant is never before the last one.
  Finding look(std::span<const Look> workers, const LoopDelayLimit& limit, Instant now);

 private:
  std::map<Incarnation, Instant> slow_since_;
  bool told_all_ = false;
};

}  // namespace ni
