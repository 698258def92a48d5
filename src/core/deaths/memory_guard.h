#pragma once

// NODEINIT_MAX_MEMORY: which worker has been above its limit long enough. A peak (a large response,
// garbage that is just about to be collected) is no leak: only so many looks in a row count. The
// supervisor replaces those told of, one at a time.

#include <map>
#include <optional>

#include "base/types.h"
#include "core/settings/config.h"

namespace ni {

class MemoryGuard {
 public:
  static constexpr unsigned kLooksInARow = 3;

  // Once a second. What was found at one look. True: tell now; again only after as many looks more.
  bool look(Incarnation worker, Bytes used, Bytes allowed);
  // Workers that are gone, or were not ready at a look.
  void forget(Incarnation worker) { above_.erase(worker); }

 private:
  std::map<Incarnation, unsigned> above_;  // at so many looks in a row; live workers only
};

// The limit in bytes. nullopt: none, or a share of a limit that the container does not have.
std::optional<Bytes> memory_allowed(const std::optional<MemoryAmount>& setting,
                                    std::optional<Bytes> share);

}  // namespace ni
