#include "app/cluster/limit_follower.h"

#include <algorithm>
#include <utility>

#include "app/invocation/container_files.h"
#include "sys/clock.h"

namespace ni::app {

LimitFollower::LimitFollower(uv_loop_t* loop, const Resources& resources,
                             const std::vector<Plan>& plans, ResizePolicy policy,
                             PlanAgain plan_again, std::function<void()> on_look)
    : policy_(policy),
      plan_again_(std::move(plan_again)),
      watched_(resources.limit_files()),
      watch_(
          loop, watched_, [this] { (void)look(sys::now()); }, std::move(on_look)) {
  restart(plans);
}

void LimitFollower::restart(const std::vector<Plan>& plans) {
  resizes_.clear();
  for (const Plan& plan : plans) {
    resizes_.emplace_back(plan, policy_);
  }
}

std::optional<LimitFollower::Resized> LimitFollower::look(Instant now) {
  const Resources resources = resources_below("");
  auto deployment = plan_again_(resources);
  if (!deployment || deployment->programs.size() != resizes_.size()) {
    return std::nullopt;  // e.g. an environment file that is gone: a reload would say so
  }
  for (std::size_t i = 0; i < resizes_.size(); ++i) {
    resizes_[i].observe(deployment->programs[i].plan, now);
  }
  // Levels may appear, and the process may be moved to another group.
  if (auto files = resources.limit_files(); files != watched_) {
    watched_ = std::move(files);
    (void)watch_.watch(watched_);
  }
  return Resized{.deployment = *std::move(deployment), .decisions = {}};
}

std::optional<Instant> LimitFollower::next_deadline() const {
  std::optional<Instant> first;
  for (const Resize& resize : resizes_) {
    if (const auto deadline = resize.next_deadline(); deadline && (!first || *deadline < *first)) {
      first = deadline;
    }
  }
  return first;
}

std::optional<LimitFollower::Resized> LimitFollower::take_due(Instant now) {
  const auto deadline = next_deadline();
  if (!deadline || now < *deadline) {
    return std::nullopt;
  }
  auto resized = look(now);
  if (!resized) {
    // Not now, and not again and again: the next change of a limit is looked at afresh.
    for (Resize& resize : resizes_) {
      resize.observe(resize.running(), now);
    }
    return std::nullopt;
  }
  bool any = false;
  for (Resize& resize : resizes_) {
    resized->decisions.push_back(resize.take_due(now));
    any = any || resized->decisions.back().has_value();
  }
  return any ? std::move(resized) : std::nullopt;
}

}  // namespace ni::app
