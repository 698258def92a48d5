#pragma once

// How many CPUs this process may run on, as sched_getaffinity(2) tells: with a mask that grows,
// because the kernel refuses one that is shorter than its own (EINVAL beyond 1024 CPUs with a plain
// cpu_set_t).

#include "base/result.h"

namespace ni::sys {

Result<unsigned> affinity_count();

}  // namespace ni::sys
