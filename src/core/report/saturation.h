#pragma once

// How near the container has been to its limits since it started, as far as somebody looked: the
// most CPU between two looks, and how busy event loops were 95 % of the time. Looks come when
// figures are asked for (a scrape); nothing wakes for them.

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "base/types.h"
#include "core/supervision/event.h"
#include "wire/worker_signals.h"

namespace ni {

class Saturation {
 public:
  static constexpr Duration kShortest = 1s;  // looks that follow sooner are passed over

  // `cpu`: all that the container has used so far.
  void look(Instant now, Duration cpu);
  // What a worker tells of its loop since it began.
  void told(Incarnation worker, const wire::LoopTime& loop);
  void gone(Incarnation worker) { loops_.erase(worker); }

  std::optional<MilliCpu> most_cpu() const { return most_cpu_; }
  // 0…1, over all workers' time; nullopt: nobody has told twice.
  std::optional<double> loop_busy_p95() const;

 private:
  static constexpr std::size_t kSteps = 100;  // of one percent
  struct Look {
    Instant at;
    Duration cpu;
  };
  std::optional<Look> last_;
  std::optional<MilliCpu> most_cpu_;
  std::map<Incarnation, wire::LoopTime> loops_;
  std::array<double, kSteps + 1> busy_{};  // milliseconds, by the share that the loop was active
};

}  // namespace ni
