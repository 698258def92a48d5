#include "core/report/saturation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ni {

void Saturation::look(Instant now, Duration cpu) {
  if (last_ && now - last_->at < kShortest) return;
  if (last_ && cpu >= last_->cpu) {
    const double share = std::chrono::duration<double>(cpu - last_->cpu) /
                         std::chrono::duration<double>(now - last_->at);
    const MilliCpu used{static_cast<std::uint64_t>(share * 1000)};
    most_cpu_ = std::max(most_cpu_.value_or(used), used);
  }
  last_ = Look{.at = now, .cpu = cpu};
}

void Saturation::told(Incarnation worker, const wire::LoopTime& loop) {
  constexpr double kShortestMilliseconds =
      std::chrono::duration<double, std::milli>(kShortest).count();
  const auto [known, is_new] = loops_.try_emplace(worker, loop);
  if (is_new) return;
  const double active = std::max(loop.active - known->second.active, 0.0);
  const double time = active + std::max(loop.idle - known->second.idle, 0.0);
  if (time < kShortestMilliseconds) return;
  busy_[static_cast<std::size_t>(std::lround(active / time * kSteps))] += time;
  known->second = loop;
}

std::optional<double> Saturation::loop_busy_p95() const {
  constexpr double kPart = 0.95;
  const double all = std::accumulate(busy_.begin(), busy_.end(), 0.0);
  if (all <= 0) return std::nullopt;
  double so_far = 0;
  std::size_t step = 0;
  while (step < kSteps && (so_far += busy_[step]) < kPart * all) ++step;
  return static_cast<double>(step) / kSteps;
}

}  // namespace ni
