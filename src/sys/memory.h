#pragma once

// What is done before memory is short for PID 1, whose end would be the end of all workers.

#include <cstddef>

namespace ni::sys {

// From now on, when there is no memory: limits that somebody has set on this process (prlimit(2);
// RLIMIT_AS, RLIMIT_DATA) are lifted as far as we may, then a reserve of 1 MiB is given free, then
// std::bad_alloc is thrown. Costs a page for each eighth of the reserve.
void keep_memory_reserve();

// malloc(3) and realloc(3) that try the same before they fail; for libraries that take their own.
void* allocate(std::size_t size);
void* allocate_zeroed(std::size_t count, std::size_t size);
void* reallocate(void* block, std::size_t size);

}  // namespace ni::sys
