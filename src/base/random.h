#pragma once

// A seeded source of numbers for jitter: the same seed gives the same run, for ever. Not for
// secrets.

#include <cstdint>

#include "base/types.h"

namespace ni {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  // splitmix64 (Steele, Lea, Flood 2014): full period, no bad seeds.
  constexpr std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  // 0 ≤ result < bound; 0 when bound is 0.
  constexpr std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

  constexpr bool chance(std::uint64_t one_in) { return below(one_in) == 0; }

  // A duration between 1 − spread and 1 of `duration`; spread in percent, 0…100.
  constexpr Duration jittered(Duration duration, unsigned spread_percent) {
    const auto full = static_cast<std::uint64_t>(duration.count() > 0 ? duration.count() : 0);
    const std::uint64_t range = full / 100 * spread_percent;
    return Duration(static_cast<Duration::rep>(full - below(range + 1)));
  }

 private:
  std::uint64_t state_;
};

}  // namespace ni
