#pragma once

// NODEINIT_WORKERS=1..auto: asks workers how busy their event loops are, and wants one more or one
// fewer as core/sizing/load_follower.h has it.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/cluster/deployment.h"
#include "core/sizing/load_follower.h"
#include "core/supervision/supervisor.h"
#include "wire/worker_signals.h"

namespace ni::app {

class LoadScaler {
 public:
  struct Hooks {
    std::function<void(Incarnation)> ask;  // how its loop has spent its time: told()
    // So many from now on, and why.
    std::function<void(const DeployedProgram&, unsigned wanted, const std::string& why)> scale;
  };
  // Both outlive this.
  LoadScaler(const Deployment& deployment, const Supervisor& supervisor, Hooks hooks)
      : deployment_(deployment), supervisor_(supervisor), hooks_(std::move(hooks)) {}

  // The deployment is another one: at the start, and after a reload or a resize.
  void deployed(Instant now);
  void told(ProgramId program, Incarnation worker, const wire::LoopTime& loop, Instant now);
  void forget(Incarnation worker);  // it was reaped
  void act(Instant now);
  std::optional<Instant> next_deadline() const { return next_look_; }

 private:
  void follow(const DeployedProgram& program, Instant now);
  std::vector<Incarnation> ready_workers(const Program& program) const;
  bool is_settled(const Program& program) const;

  const Deployment& deployment_;
  const Supervisor& supervisor_;
  Hooks hooks_;
  std::map<ProgramId, LoadFollower> followers_;
  std::optional<Instant> next_look_;  // while a program follows its load
};

}  // namespace ni::app
