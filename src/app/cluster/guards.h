#pragma once

// The guards of running workers: those that hang, that use too much memory, or whose event loop
// stays slow. What they find is told as events; what is done about it is the supervisor's.

#include <functional>
#include <map>
#include <optional>

#include "app/cluster/deployment.h"
#include "app/cluster/hang_examiner.h"
#include "app/logs/log.h"
#include "core/deaths/loop_guard.h"
#include "core/deaths/memory_guard.h"
#include "core/supervision/supervisor.h"

namespace ni::app {

class Guards {
 public:
  static constexpr Duration kEvery = 1s;  // looks at memory and loops

  struct Hooks {
    std::function<void(Event)> post;
    // Of a worker's channel: it owes an answer; its time begins anew; how late its loop is.
    std::function<bool(Incarnation)> is_unresponsive;
    std::function<void(Incarnation)> excuse;
    std::function<Duration(Incarnation)> loop_delay;
  };
  // All outlive this.
  Guards(const Deployment& deployment, const Supervisor& supervisor, Log& log, Hooks hooks)
      : deployment_(deployment), supervisor_(supervisor), log_(log), hooks_(std::move(hooks)) {}

  // The deployment is another one: at the start, and after a reload or a resize.
  void deployed(Instant now);
  // The channel says that it does not answer: it is looked at twice before that is told.
  void suspect(const event::Unresponsive& silent, Instant now);
  void act(Instant now);
  std::optional<Instant> next_deadline() const;
  void forget(Incarnation worker);  // it was reaped

 private:
  void examine_hangs(Instant now);
  bool container_is_stopped() const;
  void look_at_memory();
  void look_at_loops(const DeployedProgram& program, Instant now);

  const Deployment& deployment_;
  const Supervisor& supervisor_;
  Log& log_;
  Hooks hooks_;
  HangExaminer hangs_;
  MemoryGuard memory_;
  std::map<ProgramId, LoopGuard> loops_;
  std::optional<Instant> next_look_;  // nullopt: no program asks for one
};

}  // namespace ni::app
