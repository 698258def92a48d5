#include "core/deaths/orphans.h"

#include <algorithm>

namespace ni {

bool was_left_by(const Parentage& dead, const Orphan& orphan, std::span<const Parentage> living) {
  if (orphan.born < dead.born) {
    return false;
  }
  if (dead.group != 0 && orphan.group == dead.group) {
    return true;  // the pid was the worker's until now, and is nobody else's while its group is there
  }
  if (orphan.number != dead.number) {
    return false;
  }
  return std::ranges::none_of(living, [&orphan](const Parentage& worker) {
    return worker.group == orphan.group ||
           (worker.number == *orphan.number && worker.born <= orphan.born);
  });
}

}  // namespace ni
