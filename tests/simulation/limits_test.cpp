// The restart limit and the backoff: how many deaths, in which time, counted for whom.

#include "scene.h"

using namespace ni;
using namespace ni::simulation;

namespace {

// All workers of a good service die, and every one after them at its start.
World outage(unsigned workers, RestartIntensity limit = {}) {
  ProgramPlan plan = web(workers);
  plan.config.restart_limit = limit;
  World world(19, {}, {plan}, {});
  world.start();
  world.run_for(30s);
  world.set_temper({.crashes_at_start = 1, .start_time = 10ms});
  for (const auto& entry : std::map(world.supervisor().workers())) world.murder(entry.first);
  return world;
}

void kill_first(World& world) {
  world.murder(*world.supervisor().programs()[0].slots[0].current);
}

}  // namespace

TEST_CASE("more workers are as patient as one in an outage") {
  for (const unsigned workers : {1U, 2U, 4U, 16U}) {
    World world = outage(workers);
    world.run_for(20s);
    CHECK_FALSE(world.finished());
    world.set_temper({});
    world.run_for(30s);
    CHECK(world.ready_workers() == workers);
    require_lawful(world);
  }
}

TEST_CASE("the restart limit is so many deaths of a slot, not one more") {
  for (const unsigned deaths : {1U, 3U, 7U}) {
    World world = outage(1, {.deaths = deaths, .window = 60s});
    world.run_for(10min);
    REQUIRE(world.finished());
    CHECK(world.spawns() == deaths);
    require_lawful(world);
  }
}

TEST_CASE("deaths older than the window, with a stable worker since, are forgotten") {
  ProgramPlan plan = web(1);
  plan.config.restart_limit = {.deaths = 2, .window = 15s};
  World world(23, {}, {plan}, {});
  world.start();
  for (int death = 0; death < 8; ++death) {
    world.run_for(20s);
    REQUIRE_FALSE(world.finished());
    kill_first(world);
  }
  world.run_for(20s);
  CHECK(world.ready_workers() == 1);
  require_lawful(world);
}

TEST_CASE("the backoff begins anew after a stable run, and grows from none") {
  for (const Duration first : {Duration(100ms), Duration(0s)}) {
    ProgramPlan plan = web(2);
    plan.config.restart_backoff = {.first = first, .limit = 30s};
    World world(29, {}, {plan}, {});
    world.start();
    for (int death = 0; death < 6; ++death) {
      world.run_for(20s);
      kill_first(world);
      world.run_for(0s);
      const Slot& slot = world.supervisor().programs()[0].slots[0];
      CHECK((slot.state != SlotState::backing_off || slot.retry_at <= world.now() + 100ms));
    }
    world.run_for(20s);
    world.set_temper({.crashes_at_start = 1, .start_time = 10ms});
    kill_first(world);
    const unsigned before = world.spawns();
    world.run_for(10s);
    CHECK(world.spawns() - before < 10);
    require_lawful(world);
  }
}

TEST_CASE("workers that are never ready and leave with 0 do not end the container with success") {
  ProgramPlan plan = web(1);
  plan.config.ready = Readiness::message;
  plan.config.ready_timeout = 1s;
  plan.config.restart_limit = {.deaths = 3, .window = 60s};
  bool with_0 = false;
  for (std::uint64_t seed = 1; seed < 9; ++seed) {
    World world(seed, {}, {plan}, {.never_listens = 1});
    world.start();
    world.run_for(10min);
    REQUIRE(world.finished());
    CHECK(world.finished()->exit_code != 0);
    with_0 = with_0 || world.finished()->exit_code == 1;
  }
  CHECK(with_0);
}

TEST_CASE("the first failure's code is the container's when none is restarted") {
  ProgramPlan plan = web(2);
  plan.config.restart = RestartMode::never;
  World world(31, {}, {plan}, {});
  world.start();
  world.run_for(20s);
  const auto end = [&](std::size_t slot, int code) {
    world.end(*world.supervisor().programs()[0].slots[slot].current, ExitStatus::exited(code));
  };
  end(0, 3);
  end(1, 4);
  world.run_for(20s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 3);
}

TEST_CASE("a spare that is ready by a sign of its own is ready when it takes over") {
  for (const Readiness sign : {Readiness::message, Readiness::online}) {
    ProgramPlan plan = web(1);
    plan.config.ready = sign;
    plan.config.spares = 1;
    World world(37, {}, {plan}, {});
    world.start();
    world.run_for(20s);
    for (const auto& entry : std::map(world.supervisor().workers())) {
      if (entry.second.spare) world.tell(event::SaidReady{entry.first});
    }
    kill_first(world);
    world.run_for(500us);
    CHECK(world.ready_workers() == 1);
    world.run_for(60s);
    CHECK(world.ready_workers() == 1);
    require_lawful(world);
  }
}

TEST_CASE("a spare that is not loaded yet is no help") {
  ProgramPlan plan = web(1);
  plan.config.spares = 1;
  World world(41, {}, {plan}, {.start_time = 2s});
  world.start();
  while (world.supervisor().workers().size() < 2) world.run_for(10ms);
  kill_first(world);
  world.run_for(100ms);
  for (const auto& [incarnation, worker] : world.supervisor().workers()) {
    CHECK((!worker.spare || worker.state == WorkerState::parked));
    CHECK((worker.spare || worker.state == WorkerState::starting || !worker.pid));
  }
  CHECK(world.ready_workers() == 0);
}

TEST_CASE("a reload ends although new workers have closed their servers") {
  World world(43, {}, {web(2)}, {});
  world.start();
  world.run_for(20s);
  const Incarnation before{world.spawns()};
  world.tell(event::ReloadAsked{});
  for (int i = 0; i < 200 && world.rollouts().empty(); ++i) {
    world.run_for(50ms);
    for (const auto& entry : std::map(world.supervisor().workers())) {
      if (entry.first > before) world.tell(event::ServerClosed{entry.first, true});
    }
  }
  REQUIRE(world.rollouts().size() == 1);
  CHECK(world.rollouts()[0].succeeded);
}

TEST_CASE("a successor that listens where its predecessor does not takes nothing over") {
  const ServerPlace usual{.id = 1, .port = 3000};
  const ServerPlace other{.id = 2, .port = 4711};
  World world(1, {}, {web(1)}, {.never_listens = 1});
  world.start();
  world.run_for(1s);
  const Incarnation old = world.some_worker();
  world.tell(event::AskedForSocket{old});
  world.tell(event::Listening{old, true, false, usual});
  world.tell(event::ReloadAsked{});
  world.run_for(1s);
  const Slot& slot = world.supervisor().programs()[0].slots[0];
  REQUIRE(slot.successor);
  const Incarnation successor = *slot.successor;
  world.tell(event::AskedForSocket{successor});
  world.tell(event::Listening{successor, true, false, other});
  CHECK(world.supervisor().workers().at(old).is_ready());
  SECTION("it is ended") {
    world.run_for(20s);
    CHECK_FALSE(world.supervisor().workers().contains(successor));
    CHECK(slot.current == old);
  }
  SECTION("unless it comes there within a second") {
    world.run_for(500ms);
    world.tell(event::Listening{successor, true, false, usual});
    world.run_for(20s);
    CHECK(slot.current == successor);
  }
  CHECK(world.supervisor().workers().at(*slot.current).is_ready());
  require_lawful(world);
}

TEST_CASE("a slot that has finished is started again when a person restarts it") {
  ProgramPlan plan = web(2);
  plan.config.stop_codes = {137};
  plan.config.restart = RestartMode::never;
  World world(47, {}, {plan}, {});
  world.start();
  world.run_for(20s);
  world.murder(*world.supervisor().programs()[0].slots[1].current);
  world.run_for(20s);
  REQUIRE(world.ready_workers() == 1);
  world.tell(event::RestartAsked{ProgramId{0}, SlotId{1}});
  world.run_for(20s);
  CHECK(world.ready_workers() == 2);
  require_lawful(world);
}

TEST_CASE("who has set no time waits for a slow worker, and is told; a reload ends all the same") {
  World world(5, {}, {web(2)}, {.never_listens = 1});
  world.start();
  world.run_for(1s);
  const Incarnation first = world.some_worker();
  world.tell(event::AskedForSocket{first});  // a server, slow to listen
  world.run_for(10min);
  REQUIRE(world.supervisor().workers().contains(first));
  CHECK(world.supervisor().workers().at(first).state == WorkerState::starting);
  world.tell(event::Listening{first, true});
  CHECK(world.supervisor().workers().at(first).is_ready());
  world.tell(event::ReloadAsked{});
  world.run_for(11min);
  CHECK(world.supervisor().programs()[0].rollout);  // it may take as long as that one did, and more
  world.run_for(40min);
  CHECK_FALSE(world.supervisor().programs()[0].rollout);
  CHECK(world.supervisor().workers().at(first).is_ready());
  require_lawful(world);
}
