#pragma once

// The strong types that cross every boundary: a pid cannot be taken for a slot, bytes not for a
// count.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ni {

using namespace std::chrono_literals;

using Duration = std::chrono::nanoseconds;

// A clock that cannot be asked: the pure layers are given `now`, only loop and app know where it
// comes from (CLOCK_MONOTONIC, or the simulation's virtual time).
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

// A process other than init: never below 2, so that kill(-1) or kill(0) cannot be typed by
// accident.
class Pid {
 public:
  static constexpr std::optional<Pid> from(int value) {
    return value >= 2 ? std::optional<Pid>(Pid(value)) : std::nullopt;
  }
  constexpr int value() const { return value_; }
  constexpr auto operator<=>(const Pid&) const = default;

 private:
  explicit constexpr Pid(int value) : value_(value) {}
  int value_;
};

// A stable place 0…N−1 of a program; the worker in it changes, the place does not.
struct SlotId {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const SlotId&) const = default;
};

// Counts spawns, from 1: the name of one worker for ever. It is Node's NODE_UNIQUE_ID
// (cluster.worker.id).
struct Incarnation {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const Incarnation&) const = default;
};

struct Bytes {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
};
inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

// CPU in thousandths: 1500 is one and a half CPUs.
struct MilliCpu {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const MilliCpu&) const = default;
};

}  // namespace ni
