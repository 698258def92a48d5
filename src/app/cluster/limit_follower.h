#pragma once

// Live changes of the container's limits, from the file that changed to what is to be done: the
// limits are read again and planned again, core/sizing/resize decides when the new plan counts.
// Nothing is done here; the runtime asks for what is due.

#include <functional>
#include <optional>
#include <vector>

#include "app/cluster/deployment.h"
#include "core/container/resources.h"
#include "core/sizing/resize.h"
#include "loop/limit_watch.h"

namespace ni::app {

class LimitFollower {
 public:
  // Plans the configuration as it is now for these resources, which are what is granted from now
  // on.
  using PlanAgain = std::function<Result<Deployment>(const Resources&)>;

  LimitFollower(uv_loop_t* loop, const Resources& resources, const std::vector<Plan>& plans,
                ResizePolicy policy, PlanAgain plan_again, std::function<void()> on_look);

  std::optional<Instant> next_deadline() const;

  struct Resized {
    Deployment deployment;
    std::vector<std::optional<ResizeDecision>> decisions;  // one for each program
  };
  // At `now`: what the limits, read once more, want to have changed.
  std::optional<Resized> take_due(Instant now);

  // The configuration was read again: these plans are what runs from now on.
  void restart(const std::vector<Plan>& plans);

 private:
  // Reads and plans; every program's Resize is told.
  std::optional<Resized> look(Instant now);

  ResizePolicy policy_;
  PlanAgain plan_again_;
  std::vector<Resize> resizes_;
  std::vector<std::string> watched_;
  loop::LimitWatch watch_;
};

}  // namespace ni::app
