#pragma once

// The real clock, for those who may ask.

#include <ctime>

#include "base/types.h"

namespace ni::sys {

inline Instant now() noexcept {
  timespec time{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

}  // namespace ni::sys
