// Guards, lack of resources, reloads at bad moments.

#include <map>

#include "scene.h"

using namespace ni;
using namespace ni::simulation;

TEST_CASE("workers above their memory are replaced one at a time, whatever the surge") {
  World world(59, {}, {web(4, 3)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  (void)world.take_least_ready();
  const Incarnation before{world.spawns()};
  for (const auto& entry : std::map(world.supervisor().workers())) {
    world.tell(event::OverMemory{entry.first, Bytes{2 * kMiB}, Bytes{kMiB}});
    world.tell(event::OverMemory{entry.first, Bytes{2 * kMiB}, Bytes{kMiB}});
  }
  world.run_for(200ms);
  CHECK(world.supervisor().workers().size() == 5);
  world.run_for(60s);
  CHECK(world.take_least_ready() == 4);
  CHECK(world.spawns() == 8);
  CHECK(world.supervisor().workers().begin()->first > before);
  require_lawful(world);
}

TEST_CASE("workers whose heap is too large by now are replaced one at a time, starting ones too") {
  World world(53, {}, {web(2)}, {});
  world.start();
  world.run_for(5s);
  (void)world.take_least_ready();
  world.tell(event::TargetChanged{.program = {}, .workers = 4});
  const Incarnation last{world.spawns()};
  for (const auto& entry : std::map(world.supervisor().workers())) {
    world.tell(event::HeapTooLarge{entry.first});
  }
  world.run_for(60s);
  CHECK(world.take_least_ready() >= 2);
  CHECK(world.ready_workers() == 4);
  CHECK(world.supervisor().workers().begin()->first > last);
  require_lawful(world);
}

TEST_CASE("a replacement for memory that fails is tried again, ever more slowly, at no cost") {
  World world(61, {}, {web(2)}, {});
  world.start();
  world.run_for(30s);
  (void)world.take_least_ready();
  world.set_temper({.crashes_at_start = 1});
  const Incarnation leaks = *world.supervisor().programs()[0].slots[0].current;
  world.tell(event::OverMemory{leaks, Bytes{2 * kMiB}, Bytes{kMiB}});
  world.run_for(60s);
  CHECK(world.spawns() > 4);
  CHECK(world.spawns() < 16);
  CHECK(world.take_least_ready() == 2);
  world.set_temper({});
  world.run_for(60s);
  CHECK(*world.supervisor().programs()[0].slots[0].current != leaks);
  CHECK(world.ready_workers() == 2);
  require_lawful(world);
}

TEST_CASE("a worker over its memory at once is not replaced as fast as it can") {
  World world(67, {}, {web(1)}, {.start_time = 100ms});
  world.start();
  for (int i = 0; i < 600; ++i) {
    world.run_for(100ms);
    for (const auto& entry : std::map(world.supervisor().workers())) {
      world.tell(event::OverMemory{entry.first, Bytes{2 * kMiB}, Bytes{kMiB}});
    }
  }
  CHECK(world.spawns() > 4);
  CHECK(world.spawns() < 16);
  require_lawful(world);
}

TEST_CASE("workers of age are replaced one at a time, at different moments, for ever") {
  ProgramPlan plan = web(3);
  plan.config.max_age = 60s;
  World world(71, {}, {plan}, {});
  world.start();
  world.run_for(10s);
  (void)world.take_least_ready();
  world.run_for(10min);
  CHECK(world.take_least_ready() == 3);
  CHECK(world.spawns() >= 30);
  CHECK(world.spawns() <= 36);
  require_lawful(world);
}

TEST_CASE("an age is not forgotten when a reload fails") {
  ProgramPlan plan = web(2);
  plan.config.max_age = 100s;
  World world(73, {}, {plan}, {});
  world.start();
  world.run_for(85s);
  world.set_temper({.crashes_at_start = 1});
  world.tell(event::ReloadAsked{});
  world.run_for(20s);
  world.set_temper({});
  const Incarnation before{world.spawns()};
  world.run_for(200s);
  for (const Slot& slot : world.supervisor().programs()[0].slots) {
    CHECK(*slot.current > before);
  }
  require_lawful(world);
}

TEST_CASE("a worker that hangs gets SIGKILL at once, or SIGABRT first") {
  for (const Signal signal : {signals::kill, signals::abort}) {
    ProgramPlan plan = web(2);
    plan.config.hang_signal = signal;
    World world(79, {}, {plan}, {.long_connection = 1, .ignores_term = 1});
    world.start();
    world.run_for(30s);
    const Incarnation hangs = *world.supervisor().programs()[0].slots[1].current;
    world.tell(event::Unresponsive{hangs, 3s});
    world.run_for(signal == signals::kill ? 1s : 7s);
    CHECK_FALSE(world.supervisor().workers().contains(hangs));
    CHECK(world.ready_workers() == 2);
    CHECK(world.supervisor().programs()[0].slots[1].last_death->cause == DeathCause::unresponsive);
    require_lawful(world);
  }
}

TEST_CASE("what cannot be started for want of something is tried again, a wrong command is not") {
  ProgramPlan once = web(2);
  once.config.restart = RestartMode::never;
  World world(83, {}, {once}, {.spawn_fails = 1});
  world.start();
  world.run_for(1s);
  CHECK_FALSE(world.finished());
  world.set_temper({});
  world.run_for(10s);
  CHECK(world.ready_workers() == 2);
  require_lawful(world);

  World wrong(83, {}, {web(2)}, {.command_is_wrong = true});
  wrong.start();
  wrong.run_for(1s);
  REQUIRE(wrong.finished());
  CHECK(wrong.finished()->exit_code == 127);
  CHECK(wrong.spawns() == 1);
  require_lawful(wrong);
}

TEST_CASE("what can never be started ends the container at the restart limit") {
  World world(89, {}, {web(2)}, {.spawn_fails = 1});
  world.start();
  world.run_for(10min);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 126);
  require_lawful(world);
}

TEST_CASE("a reload during a resize, a stop, and with a dead slot") {
  World growing(97, {}, {web(2)}, {.start_time = 2s});
  growing.start();
  growing.run_for(30s);
  growing.tell(event::TargetChanged{ProgramId{0}, 4});
  growing.tell(event::ReloadAsked{});
  growing.run_for(500ms);
  growing.tell(event::TargetChanged{ProgramId{0}, 3});
  growing.run_for(60s);
  REQUIRE(growing.rollouts().size() == 1);
  CHECK(growing.rollouts()[0].succeeded);
  CHECK(growing.ready_workers() == 3);
  CHECK(growing.supervisor().workers().begin()->first > Incarnation{2});
  require_lawful(growing);

  World stopping(101, {}, {web(2)}, {.start_time = 2s});
  stopping.start();
  stopping.run_for(30s);
  stopping.tell(event::ReloadAsked{});
  stopping.run_for(500ms);
  stopping.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  stopping.tell(event::ReloadAsked{});
  stopping.run_for(10s);
  REQUIRE(stopping.finished());
  CHECK(stopping.finished()->exit_code == 0);
  REQUIRE(stopping.rollouts().size() == 2);
  CHECK_FALSE(stopping.rollouts()[0].succeeded);
  CHECK_FALSE(stopping.rollouts()[1].succeeded);
  CHECK(stopping.spawns() == 3);
  require_lawful(stopping);

  World dead(103, {}, {web(3)}, {});
  dead.start();
  dead.run_for(30s);
  dead.set_temper({.crashes_at_start = 1});
  dead.murder(*dead.supervisor().programs()[0].slots[1].current);
  dead.run_for(10min);
  REQUIRE(dead.ready_workers() == 2);
  dead.set_temper({});
  dead.tell(event::ReloadAsked{});
  dead.run_for(60s);
  REQUIRE(dead.rollouts().size() == 1);
  CHECK(dead.rollouts()[0].succeeded);
  CHECK(dead.ready_workers() == 3);
  require_lawful(dead);
}

TEST_CASE(
    "workers that have had their requests are replaced one at a time, each at its own number") {
  ProgramPlan plan = web(3, 3);
  plan.config.max_requests = RequestLimit{.requests = 1000, .spread = 10};
  World world(83, {}, {plan}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  (void)world.take_least_ready();
  const auto tell_all = [&](std::uint64_t requests) {
    for (const auto& entry : std::map(world.supervisor().workers())) {
      world.tell(event::Served{entry.first, requests});
    }
  };
  tell_all(899);
  world.run_for(10s);
  CHECK(world.spawns() == 3);
  tell_all(1100);
  tell_all(1101);
  world.run_for(200ms);
  CHECK(world.supervisor().workers().size() == 4);
  world.run_for(60s);
  CHECK(world.take_least_ready() == 3);
  CHECK(world.spawns() == 6);
  unsigned begun = 0;
  for (const Slot& slot : world.supervisor().programs()[0].slots) {
    begun += slot.replacements[static_cast<std::size_t>(ReplaceFor::requests)];
  }
  CHECK(begun == 3);
  require_lawful(world);
}

TEST_CASE("a limit of requests that comes at once does not spin") {
  ProgramPlan plan = web(2);
  plan.config.max_requests = RequestLimit{.requests = 1, .spread = 0};
  World world(89, {}, {plan}, {.start_time = 100ms});
  world.start();
  for (int i = 0; i < 600; ++i) {
    world.run_for(100ms);
    for (const auto& entry : std::map(world.supervisor().workers())) {
      world.tell(event::Served{entry.first, 1});
    }
  }
  CHECK(world.spawns() > 6);
  CHECK(world.spawns() < 40);
  require_lawful(world);
}

TEST_CASE("a slow worker is replaced, and never the last one") {
  World world(97, {}, {web(2)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  (void)world.take_least_ready();
  const Incarnation slow = *world.supervisor().programs()[0].slots[1].current;
  world.tell(event::SlowLoop{slow, 2s});
  world.run_for(30s);
  CHECK(*world.supervisor().programs()[0].slots[1].current != slow);
  CHECK(world.take_least_ready() == 2);
  world.tell(event::TargetChanged{.program = {}, .workers = 1});
  world.run_for(30s);
  const auto before = world.spawns();
  world.tell(event::SlowLoop{*world.supervisor().programs()[0].slots[0].current, 2s});
  world.run_for(30s);
  CHECK(world.spawns() == before);
  require_lawful(world);
}

TEST_CASE(
    "whoever says that it is not ready is passed by, is no failure, and is back at its word") {
  World world(101, {}, {web(2)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  const auto& program = world.supervisor().programs()[0];
  const Incarnation first = *program.slots[0].current;
  const Incarnation second = *program.slots[1].current;
  world.tell(event::SaidAvailable{first, false, "cold"});
  CHECK(program.served == std::vector{second});
  CHECK(world.supervisor().is_ready());
  world.tell(event::SaidAvailable{second, false});
  CHECK(program.served == std::vector{first, second});
  CHECK_FALSE(world.supervisor().is_ready());
  world.tell(event::SaidReady{first});  // PM2's word for it
  CHECK(program.served == std::vector{first});
  CHECK(world.supervisor().is_ready());
  world.tell(event::SaidAvailable{second, true});
  CHECK(program.served == std::vector{first, second});
  CHECK(world.spawns() == 2);
  require_lawful(world);
}

TEST_CASE("a successor that says it is not ready takes over when it says that it is") {
  World world(103, {}, {web(1)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  const auto& slot = world.supervisor().programs()[0].slots[0];
  const Incarnation old = *slot.current;
  world.set_temper({.start_time = 10s});
  world.tell(event::ReloadAsked{});
  world.run_for(1ms);
  REQUIRE(slot.successor);
  const Incarnation young = *slot.successor;
  world.tell(event::SaidAvailable{young, false, "warming"});
  world.tell(event::AskedForSocket{young});
  world.tell(event::Listening{young, true});
  CHECK(slot.current == old);
  world.tell(event::SaidAvailable{young, true});
  CHECK(slot.current == young);
  world.run_for(30s);
  CHECK(world.supervisor().is_ready());
  require_lawful(world);
}

TEST_CASE("whoever changes its mind all the time is followed, and fills no log") {
  World world(107, {}, {web(2)}, {.start_time = 1s});
  world.start();
  world.run_for(30s);
  const auto& program = world.supervisor().programs()[0];
  const Incarnation fickle = *program.slots[0].current;
  const std::size_t before = world.reports();
  for (int i = 0; i < 1000; ++i) {
    world.tell(event::SaidAvailable{fickle, i % 2 == 1, "now"});
    CHECK(program.served.size() == (i % 2 == 1 ? 2 : 1));
  }
  CHECK(world.reports() - before == 20);
  require_lawful(world);
}
