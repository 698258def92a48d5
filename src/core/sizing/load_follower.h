#pragma once

// NODEINIT_WORKERS=1..4: how many workers the load wants, between the two. What is seen is how busy
// event loops are, 0…1, over all ready workers:
//
//   one more    kBusy or more for kBusyFor, while all that were wanted are ready: below that the
//               time that a request waits for the loop is shorter than the one it takes
//   one fewer   what one fewer would have to carry has been below kIdle each for kIdleFor
//
// One more soon after one fewer: that was a mistake, and the next one fewer waits twice as long, up
// to kLongestIdle. A busy loop beside idle ones is no reason: a further worker would not help it.
//
//   told(worker, idle, active) … look(…) → +1, -1 or nothing

#include <map>
#include <optional>
#include <span>

#include "base/types.h"

namespace ni {

class LoadFollower {
 public:
  static constexpr Duration kEvery = 1s;  // looks, and questions to workers
  static constexpr double kBusy = 0.8;
  static constexpr Duration kBusyFor = 3s;
  static constexpr double kIdle = 0.5;
  static constexpr Duration kIdleFor = 5min;
  static constexpr Duration kLongestIdle = 1h;
  // A loop that has not told for so long has not come to it.
  static constexpr Duration kSilent = 3s;

  // How a worker's loop has spent its time since it began, in milliseconds.
  void told(Incarnation worker, double idle, double active, Instant now);
  void gone(Incarnation worker) { loops_.erase(worker); }

  struct Change {
    int by = 0;  // +1, -1; 0: none
    double busy = 0;
    Duration lasting{};
  };
  // `ready`: those that serve; `wanted`: as many are to be; between `least` and `most`.
  Change look(std::span<const Incarnation> ready, unsigned wanted, unsigned least, unsigned most,
              Instant now);
  // Nothing is decided while workers are replaced: what was seen before counts no more.
  void rest();

 private:
  struct Loop {
    double idle = 0;  // as told last
    double active = 0;
    double busy = 0;  // between the two latest
    Instant at;
  };
  double busy(std::span<const Incarnation> ready, Instant now) const;

  std::map<Incarnation, Loop> loops_;
  std::optional<Instant> busy_since_;
  std::optional<Instant> idle_since_;
  std::optional<Instant> fewer_at_;  // the last one fewer
  Duration idle_for_ = kIdleFor;
};

}  // namespace ni
