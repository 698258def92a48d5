#pragma once

// Where libuv calls us: no exception gets any further, for libuv could not pass it on, and PID 1
// would end for what one client or one worker needed.

#include <cstdint>
#include <new>
#include <utility>

namespace ni::loop {

// How often memory was short within a callback, since the start; what that one was about is dropped.
std::uint64_t drops_for_memory();
void count_drop_for_memory();

// False: there was no memory.
template <class Callback>
bool within_boundary(Callback&& callback) {
  try {
    std::forward<Callback>(callback)();
    return true;
  } catch (const std::bad_alloc&) {
    count_drop_for_memory();
    return false;
  }
}

}  // namespace ni::loop
