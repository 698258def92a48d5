// What the supervisor does in one situation each. Whole lives by chance: lives_test.cpp.

#include <set>

#include "scene.h"

using namespace ni;
using namespace ni::simulation;

TEST_CASE("the first worker goes alone, the others follow when it has asked for a socket") {
  World world(1, {}, {web(4)}, {.start_time = 200ms});
  world.start();
  CHECK(world.spawns() == 1);
  world.run_for(50ms);
  CHECK(world.spawns() == 1);
  world.run_for(2s);
  CHECK(world.spawns() == 4);
  CHECK(world.ready_workers() == 4);
  CHECK(world.supervisor().is_ready());
  require_lawful(world);
}

TEST_CASE("the container is ready while as many workers are as it was told to need") {
  for (const auto& [needs, ready_with_two] :
       {std::pair(ReadyShare{1, false}, true), std::pair(ReadyShare{3, false}, false),
        std::pair(ReadyShare{50, true}, true), std::pair(ReadyShare{67, true}, false),
        std::pair(ReadyShare{9, false}, false)}) {
    ProgramPlan plan = web(3);
    plan.config.ready_workers = needs;
    World world(2, {}, {plan}, {});
    world.start();
    world.run_for(20s);
    REQUIRE(world.ready_workers() == 3);
    CHECK(world.supervisor().is_ready());
    world.murder(*world.supervisor().programs()[0].slots[1].current);
    world.run_for(10ms);
    REQUIRE(world.ready_workers() == 2);
    CHECK(world.supervisor().is_ready() == ready_with_two);
    world.run_for(10s);
    CHECK(world.supervisor().is_ready());
  }
}

TEST_CASE("a program that never listens runs once and gives the container its code") {
  World world(1, {}, {web(4)}, {.crashes_at_start = 1});
  world.start();
  world.run_for(60s);
  REQUIRE(world.finished());
  CHECK(world.spawns() == 1);
  CHECK((world.finished()->exit_code == 3 || world.finished()->exit_code == 134));
  require_lawful(world);
}

TEST_CASE(
    "a program that must not be restarted ends the container while its first worker is alone") {
  ProgramPlan once = web(4);
  once.config.restart = RestartMode::never;
  World world(1, {}, {once}, {.crashes_at_start = 1});
  world.start();
  world.run_for(60s);
  REQUIRE(world.finished());
  CHECK(world.spawns() == 1);
  require_lawful(world);
}

TEST_CASE("pipes and UDP ports make ready only when nothing else will be listened on") {
  World world(1, {}, {web(1)}, {.never_listens = 1});
  world.start();
  world.run_for(1s);
  const Incarnation worker = world.some_worker();
  const auto ready = [&] { return world.supervisor().workers().at(worker).is_ready(); };
  world.tell(event::AskedForSocket{worker});
  world.tell(event::ServesWithoutTcp{worker});
  CHECK_FALSE(ready());  // it listens on nothing
  world.tell(event::Listening{worker, false});
  world.run_for(1s);
  CHECK_FALSE(ready());
  world.tell(event::ServesWithoutTcp{worker});
  CHECK(ready());
  world.tell(event::Listening{worker, false});
  world.tell(event::ServerClosed{worker, false});
  CHECK(ready());
  world.tell(event::ServerClosed{worker, false});
  CHECK_FALSE(ready());
  require_lawful(world);
}

TEST_CASE("a job may take as long as it wants, whatever the ready timeout") {
  World world(1, {}, {web(4)}, {.never_listens = 1});
  world.start();
  world.run_for(24h);
  CHECK_FALSE(world.finished());
  CHECK(world.spawns() == 1);
  CHECK_FALSE(world.supervisor().is_ready());
  require_lawful(world);
}

TEST_CASE("a job cut short by SIGTERM is not reported as a success") {
  World world(4, {}, {web(1)}, {.never_listens = 1, .ignores_term = 1});
  world.start();
  world.run_for(1s);
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(20s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 137);
  require_lawful(world);
}

TEST_CASE("a dead worker is replaced after its backoff while the others serve") {
  World world(7, {}, {web(3)}, {});
  world.start();
  world.run_for(20s);
  REQUIRE(world.ready_workers() == 3);
  world.murder(*world.supervisor().programs()[0].slots[1].current);
  world.run_for(10ms);
  CHECK(world.ready_workers() == 2);
  CHECK(world.supervisor().is_ready());
  CHECK(world.supervisor().programs()[0].slots[1].restarts == 0);  // it is to come
  world.run_for(1s);
  CHECK(world.ready_workers() == 3);
  CHECK(world.supervisor().programs()[0].slots[1].restarts == 1);
  require_lawful(world);
}

TEST_CASE("a reload of good workers never lowers the capacity") {
  for (const unsigned surge : {1U, 2U, 5U}) {
    World world(11, {}, {web(4, surge)}, {});
    world.start();
    world.run_for(20s);
    (void)world.take_least_ready();
    world.tell(event::ReloadAsked{});
    world.run_for(60s);
    CHECK(world.take_least_ready() >= 4);
    REQUIRE(world.rollouts().size() == 1);
    CHECK(world.rollouts()[0].succeeded);
    CHECK(world.spawns() == 8);
    require_lawful(world);
  }
}

TEST_CASE("with surge 0 a reload takes one worker down at a time") {
  World world(11, {}, {web(4, 0)}, {});
  world.start();
  world.run_for(20s);
  (void)world.take_least_ready();
  world.tell(event::ReloadAsked{});
  world.run_for(60s);
  CHECK(world.take_least_ready() == 3);
  REQUIRE(world.rollouts().size() == 1);
  CHECK(world.rollouts()[0].succeeded);
  require_lawful(world);
}

TEST_CASE("a broken release ends the reload and costs no capacity") {
  for (const Temper& broken :
       {Temper{.crashes_at_start = 1}, Temper{.never_listens = 1}, Temper{.spawn_fails = 1}}) {
    ProgramPlan plan = web(3);
    plan.config.ready_timeout = 5s;
    World world(13, {}, {plan}, {});
    world.start();
    world.run_for(20s);
    (void)world.take_least_ready();
    world.set_temper(broken);
    world.tell(event::ReloadAsked{});
    world.run_for(60s);
    CHECK(world.take_least_ready() == 3);
    CHECK(world.spawns() == 4);
    REQUIRE(world.rollouts().size() == 1);
    CHECK_FALSE(world.rollouts()[0].succeeded);
    CHECK_FALSE(world.rollouts()[0].reason.empty());
    CHECK_FALSE(world.finished());
    require_lawful(world);
  }
}

TEST_CASE("a second reload during the first replaces what the first has started") {
  World world(17, {}, {web(4)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  world.tell(event::ReloadAsked{});
  world.run_for(2500ms);
  const Incarnation halfway{world.spawns()};
  world.tell(event::ReloadAsked{});
  world.run_for(60s);
  REQUIRE(world.rollouts().size() == 1);
  CHECK(world.rollouts()[0].succeeded);
  for (const Slot& slot : world.supervisor().programs()[0].slots) {
    CHECK(*slot.current > halfway);
  }
  require_lawful(world);
}

TEST_CASE("a crash loop with no worker ready ends the container with the worker's code") {
  World world(19, {}, {web(2)}, {});
  world.start();
  world.run_for(30s);
  world.set_temper({.crashes_at_start = 1, .start_time = 100ms});
  for (const auto& entry : std::map(world.supervisor().workers())) {
    world.murder(entry.first);
  }
  world.run_for(10min);
  REQUIRE(world.finished());
  CHECK((world.finished()->exit_code == 3 || world.finished()->exit_code == 134));
  require_lawful(world);
}

TEST_CASE("a slow crash loop is not hidden by the window of the restart limit") {
  World world(23, {}, {web(1)}, {});
  world.start();
  world.run_for(30s);
  world.set_temper({.crashes_at_start = 1, .start_time = 100s});
  world.murder(*world.supervisor().programs()[0].slots[0].current);
  world.run_for(1h);
  CHECK(world.finished());
  require_lawful(world);
}

TEST_CASE("one bad slot among good ones is retried for ever and ends nothing") {
  World world(29, {}, {web(2)}, {});
  world.start();
  world.run_for(30s);
  world.set_temper({.crashes_at_start = 1});
  world.murder(*world.supervisor().programs()[0].slots[1].current);
  world.run_for(1h);
  CHECK_FALSE(world.finished());
  CHECK(world.ready_workers() == 1);
  CHECK(world.supervisor().is_ready());
  CHECK(world.supervisor().programs()[0].slots[1].restarts > 100);
  require_lawful(world);
}

TEST_CASE(
    "workers that ignore SIGTERM and keep connections are killed within the grace, and 137 says "
    "so") {
  World world(31, {.grace = 8s, .stop_delay = 0s}, {web(3)},
              {.long_connection = 1, .ignores_term = 1});
  world.start();
  world.run_for(30s);
  const Instant asked = world.now();
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(7s);
  CHECK_FALSE(world.finished());
  world.run_for(2s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 137);
  CHECK(world.now() - asked <= 9s);
  require_lawful(world);
}

TEST_CASE("a worker that ends in order within the grace makes the exit code 0") {
  World world(37, {}, {web(3)}, {.slow_exit = 1});
  world.start();
  world.run_for(30s);
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(9s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 0);
  require_lawful(world);
}

TEST_CASE("during the stop delay workers serve while readiness is false") {
  World world(41, {.grace = 10s, .stop_delay = 4s}, {web(3)}, {});
  world.start();
  world.run_for(30s);
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(3s);
  CHECK(world.ready_workers() == 3);
  CHECK_FALSE(world.supervisor().is_ready());
  world.run_for(3s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 0);
  require_lawful(world);
}

TEST_CASE("scaling down lets the highest slot leave first, and never the last") {
  World world(43, {}, {web(3)}, {});
  world.start();
  world.run_for(30s);
  for (int i = 0; i < 5; ++i) {
    world.tell(event::ScaleBy{ProgramId{0}, -1});
    world.run_for(1s);
  }
  CHECK(world.ready_workers() == 1);
  CHECK(world.supervisor().programs()[0].slots[0].current);
  world.tell(event::TargetChanged{ProgramId{0}, 4});
  world.run_for(20s);
  CHECK(world.ready_workers() == 4);
  require_lawful(world);
}

TEST_CASE("a spare takes the place of a dead worker at once, and a new spare is started") {
  ProgramPlan plan = web(2);
  plan.config.spares = 1;
  World world(47, {}, {plan}, {.start_time = 2s});
  world.start();
  world.run_for(30s);
  CHECK(world.spawns() == 3);
  CHECK(world.ready_workers() == 2);
  world.murder(*world.supervisor().programs()[0].slots[0].current);
  world.run_for(10ms);
  CHECK(world.ready_workers() == 2);
  world.run_for(30s);
  CHECK(world.spawns() == 5);  // the spare, the one with the missing number, and its successor
  std::set<unsigned> serving;
  std::set<unsigned> all;
  for (const auto& [incarnation, worker] : world.supervisor().workers()) {
    all.insert(worker.instance);
    if (worker.is_ready()) serving.insert(worker.instance);
  }
  CHECK(serving == std::set<unsigned>{0, 1});
  CHECK(all.size() == 3);
  require_lawful(world);
}

TEST_CASE("a reload renews the spares and uses them") {
  ProgramPlan plan = web(3);
  plan.config.spares = 1;
  World world(53, {}, {plan}, {.start_time = 2s});
  world.start();
  world.run_for(30s);
  const Incarnation before{world.spawns()};
  (void)world.take_least_ready();
  world.tell(event::ReloadAsked{});
  world.run_for(2min);
  for (const auto& [incarnation, worker] : world.supervisor().workers()) {
    UNSCOPED_INFO("worker " << incarnation.value << " " << to_string(worker.state) << " spare "
                            << worker.spare << " slot " << worker.slot.value);
  }
  REQUIRE(world.rollouts().size() == 1);
  CHECK(world.rollouts()[0].succeeded);
  CHECK(world.take_least_ready() >= 3);
  CHECK(world.supervisor().workers().size() == 4);
  CHECK(world.supervisor().workers().begin()->first > before);
  require_lawful(world);
}
