#pragma once

// What `nodeinit ctl` shows a person, from the status that PID 1 sends. Pure: text in, text out.
// Fields that are missing (an older or newer PID 1) are shown as "-".

#include <deque>
#include <map>
#include <string>

#include "wire/json.h"

namespace ni {

std::string status_text(const wire::Json& status);

// CPU use of each worker, sample by sample, for the little bars of `top`.
class TopHistory {
 public:
  // What was used since the sample before, as a share of one CPU (1.0). `seconds` since then.
  void add(const wire::Json& status, double seconds);
  std::string screen(const wire::Json& status) const;

  static constexpr std::size_t kSamples = 30;

 private:
  struct Track {
    std::int64_t cpu_ms = 0;
    std::deque<double> shares;
  };
  std::map<std::int64_t, Track> tracks_;  // by pid
};

}  // namespace ni
