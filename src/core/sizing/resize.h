#pragma once

// Following a container that is resized while it runs: when a plan that the limits give now becomes
// what we do.
//
// More or fewer workers: when the new number has been stable for 5 s. A limit that goes back and
// forth does not take the workers with it: each change of direction soon after the last one doubles
// that time, up to 5 min. Less memory for a worker than its heap was sized for: almost at once (the
// runtime writes several files), worker by worker, because the kernel would kill. A larger heap:
// only when asked for by a setting, because it costs a rolling replacement (V8 cannot raise the
// limit of a running heap), and after the same time as for workers.
//
//   observe(plan, now) … next_deadline() … take_due(now) → what to do, once

#include <optional>
#include <string>

#include "base/types.h"
#include "core/sizing/plan.h"

namespace ni {

struct ResizePolicy {
  Duration stable_for = 5s;
  Duration longest_stable_for = 5min;
  Duration less_memory_after = 1s;
  bool follow_larger_memory = false;  // NODEINIT_RESIZE=reload
};

struct ResizeDecision {
  unsigned workers = 1;          // the target from now on
  bool replace_workers = false;  // those that run have another heap than the plan gives
  std::string reason;            // "2 → 3 workers: 2.5 CPUs"
};

class Resize {
 public:
  // `running`: the plan the workers were started by.
  explicit Resize(Plan running, ResizePolicy policy = {});

  // What the limits give now. Often the same.
  void observe(const Plan& plan, Instant now);
  std::optional<Instant> next_deadline() const;
  // What is to be done now, each decision once; the plan is then the running one.
  std::optional<ResizeDecision> take_due(Instant now);
  // The plan of the last decision, or of the start: new workers are started by it.
  const Plan& running() const { return running_; }

 private:
  enum class Need : std::uint8_t { nothing, workers, less_memory, more_memory };
  Need need_of(const Plan& plan) const;
  Duration wait_for(Need need) const;
  void lengthen_or_reset(const Plan& next, Instant now);

  ResizePolicy policy_;
  Plan running_;
  std::optional<Plan> pending_;
  Instant pending_since_;
  Duration stable_for_;
  int last_direction_ = 0;  // of the last change: 1 more, -1 less, 0 there was none
  Instant last_change_;
};

}  // namespace ni
