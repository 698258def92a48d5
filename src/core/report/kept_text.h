#pragma once

// A text about us that many may ask for at once, and again and again: made anew for a tenth of our
// time at most. One that took a millisecond serves for nine; after an event it is old at once.

#include <algorithm>
#include <string>
#include <utility>

#include "base/types.h"

namespace ni {

class KeptText {
 public:
  static constexpr int kServesFor = 9;  // times as long as it took
  static constexpr Duration kLongest = 1s;

  // Clock: Instant(); Maker: std::string().
  template <class Clock, class Maker>
  const std::string& get(Clock&& clock, Maker&& make) {
    const Instant begun = clock();
    if (begun >= old_from_) {
      text_ = make();
      const Instant made = clock();
      old_from_ = made + std::min<Duration>((made - begun) * kServesFor, kLongest);
    }
    return text_;
  }
  void is_old() { old_from_ = Instant{}; }

 private:
  std::string text_;
  Instant old_from_{};
};

}  // namespace ni
