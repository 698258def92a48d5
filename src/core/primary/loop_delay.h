#pragma once

// How long a worker's event loop takes to answer, measured from outside: a histogram of round
// trips.

#include <array>
#include <chrono>
#include <cstdint>

#include "base/types.h"

namespace ni {

class LoopDelay {
 public:
  // Upper bounds of the buckets; the last bucket, without one, follows them.
  static constexpr std::array<Duration, 12> kBounds{1ms,   2ms,   5ms,   10ms, 20ms, 50ms,
                                                    100ms, 200ms, 500ms, 1s,   2s,   5s};

  void record(Duration delay) {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && delay > kBounds[bucket]) ++bucket;
    ++buckets_[bucket];
    ++count_;
    sum_ += delay;
    last_ = delay;
  }

  const std::array<std::uint64_t, kBounds.size() + 1>& buckets() const { return buckets_; }
  std::uint64_t count() const { return count_; }
  Duration sum() const { return sum_; }
  Duration last() const { return last_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> buckets_{};
  std::uint64_t count_ = 0;
  Duration sum_{0};
  Duration last_{0};
};

}  // namespace ni
