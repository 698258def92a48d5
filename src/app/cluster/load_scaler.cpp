#include "app/cluster/load_scaler.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace ni::app {

void LoadScaler::deployed(Instant now) {
  const bool any = std::ranges::any_of(deployment_.programs, [](const DeployedProgram& program) {
    return program.plan.follows_load();
  });
  if (!any) {
    next_look_.reset();
    followers_.clear();
  } else if (!next_look_) {
    next_look_ = now + LoadFollower::kEvery;
  }
}

void LoadScaler::told(ProgramId program, Incarnation worker, const wire::LoopTime& loop,
                      Instant now) {
  if (const auto follower = followers_.find(program); follower != followers_.end()) {
    follower->second.told(worker, loop.idle, loop.active, now);
  }
}

void LoadScaler::forget(Incarnation worker) {
  for (auto& [program, follower] : followers_) {
    follower.gone(worker);
  }
}

void LoadScaler::act(Instant now) {
  if (!next_look_ || *next_look_ > now) {
    return;
  }
  next_look_ = now + LoadFollower::kEvery;
  for (const DeployedProgram& program : deployment_.programs) {
    if (program.plan.follows_load() && !program.waits_to_adopt()) {
      follow(program, now);
    }
  }
}

std::vector<Incarnation> LoadScaler::ready_workers(const Program& program) const {
  std::vector<Incarnation> ready;
  for (const Slot& slot : program.slots) {
    const auto worker =
        slot.current ? supervisor_.workers().find(*slot.current) : supervisor_.workers().end();
    if (slot.wanted && worker != supervisor_.workers().end() && worker->second.is_ready()) {
      ready.push_back(worker->first);
    }
  }
  return ready;
}

bool LoadScaler::is_settled(const Program& program) const {
  return supervisor_.phase() == Phase::running && !program.rollout &&
         program.stage == Program::Stage::serving &&
         std::ranges::none_of(program.slots,
                              [](const Slot& slot) { return slot.successor.has_value(); });
}

void LoadScaler::follow(const DeployedProgram& program, Instant now) {
  const Program& supervised = supervisor_.programs()[program.id.value];
  LoadFollower& follower = followers_[program.id];
  const std::vector<Incarnation> ready = ready_workers(supervised);
  std::ranges::for_each(ready, hooks_.ask);
  if (!is_settled(supervised)) {
    follower.rest();
    return;
  }
  const unsigned target = supervised.target;
  const Plan& plan = program.plan;
  if (!program.launcher->counts_connections()) {
    if (target < plan.workers) {
      hooks_.scale(program, plan.workers,
                   "nothing tells how busy its event loops are: its workers have no module inside");
    }
    return;
  }
  const auto change = follower.look(ready, target, plan.least_workers, plan.workers, now);
  if (change.by != 0) {
    hooks_.scale(
        program, static_cast<unsigned>(static_cast<int>(target) + change.by),
        fmt::format("event loops {}% busy for {}", std::lround(change.busy * 100),
                    format_duration(std::chrono::floor<std::chrono::seconds>(change.lasting))));
  }
}

}  // namespace ni::app
