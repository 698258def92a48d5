#pragma once

// How many CPUs this process may run on, as sched_getaffinity(2) tells: with a mask that grows,
// because the kernel refuses one that is shorter than its own (EINVAL beyond 1024 CPUs with a plain
// cpu_set_t).

#include <cstddef>

#include "base/result.h"

namespace ni::sys {

// sched_getaffinity(2) as the kernel has it: takes the size in bytes, gives the number of bytes
// written, or -1 with errno.
using AskAffinity = long (*)(std::size_t size, unsigned long* mask);
long ask_affinity(std::size_t size, unsigned long* mask);
Result<unsigned> affinity_count(AskAffinity ask = ask_affinity);

}  // namespace ni::sys
