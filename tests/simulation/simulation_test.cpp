#include <cstdlib>
#include <set>

#include "support/catch.h"
#include "world.h"

using namespace ni;
using namespace ni::simulation;

namespace {

ProgramPlan web(unsigned workers, unsigned surge = 1) {
  ProgramPlan plan;
  plan.config.name = "web";
  plan.config.command = {"node", "server.js"};
  plan.config.surge = surge;
  plan.workers = workers;
  return plan;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

void require_lawful(const World& world) {
  for (const std::string& law : world.broken_laws()) {
    UNSCOPED_INFO(law);
  }
  REQUIRE(world.broken_laws().empty());
}

// One thing that a person, the platform or fate does.
void disturb(World& world) {
  Random& random = world.random();
  const auto program =
      ProgramId{static_cast<std::uint32_t>(random.below(world.supervisor().programs().size() + 1))};
  switch (random.below(12)) {
    case 0:
    case 1:
      return world.tell(event::ReloadAsked{});
    case 2:
      return world.tell(event::TargetChanged{program, static_cast<unsigned>(random.below(8)) + 1});
    case 3:
      return world.tell(event::ScaleBy{program, random.chance(2) ? 1 : -1});
    case 4:
      return world.tell(
          event::RestartAsked{program, SlotId{static_cast<std::uint32_t>(random.below(9))}});
    case 5:
      return world.tell(event::Unresponsive{world.some_worker(), 3s});
    case 6:
      return world.tell(event::OverMemory{world.some_worker(), Bytes{2 * kMiB}, Bytes{kMiB}});
    case 7:
      return world.murder(world.some_worker());
    case 8:
      return world.tell(event::ForwardSignal{.signal = signals::usr2,
                                             .whole_group = random.chance(2),
                                             .first_slot_only = random.chance(2)});
    case 9:
      return world.tell(event::ServerClosed{world.some_worker(), true});
    case 10:
      return world.tell(event::ChannelClosed{world.some_worker()});
    default:
      return world.tell(event::Listening{world.some_worker(), random.chance(2)});
  }
}

Temper temper_from(Random& random) {
  const auto maybe = [&random](unsigned worst) {
    return random.chance(2) ? 0U : worst + static_cast<unsigned>(random.below(20));
  };
  return Temper{.spawn_fails = maybe(4),
                .crashes_at_start = maybe(2),
                .never_listens = maybe(3),
                .crashes_later = maybe(2),
                .leaves_by_itself = maybe(3),
                .long_connection = maybe(1),
                .ignores_term = maybe(2),
                .slow_exit = maybe(2),
                .hook_fails = maybe(2),
                .hook_hangs = maybe(2),
                .start_time = Duration(random.below(5'000'000'000) + 1'000'000)};
}

// A whole life: start, minutes of disturbances, a stop at any moment, the end.
void live(std::uint64_t seed, std::uint64_t& steps) {
  Random random(seed);
  std::vector<ProgramPlan> programs;
  for (std::uint64_t i = 0; i <= random.below(2); ++i) {
    ProgramPlan plan =
        web(static_cast<unsigned>(random.below(6)) + 1, static_cast<unsigned>(random.below(4)));
    plan.config.restart = static_cast<RestartMode>(random.below(3));
    plan.config.restart_was_set = random.chance(2);
    plan.config.ready = static_cast<Readiness>(random.below(3));
    plan.config.stop = static_cast<StopStyle>(random.below(2));
    plan.config.ready_timeout = Duration(random.below(20'000'000'000) + 1'000'000);
    plan.config.spares = static_cast<unsigned>(random.below(3));
    if (random.chance(3)) plan.config.max_age = 40s;
    if (random.chance(3)) plan.config.stop_codes = {3};
    plan.config.essential = !random.chance(3);
    programs.push_back(plan);
  }
  SupervisorSettings settings{.grace = Duration(random.below(30'000'000'000) + 100'000'000),
                              .stop_delay = 0s};
  if (random.chance(3)) settings.stop_delay = settings.grace / 2;
  settings.pre_start = random.chance(4);
  settings.post_stop = random.chance(4);

  World world(seed, settings, programs, temper_from(random));
  world.start();
  const auto disturbances = random.below(60);
  for (std::uint64_t i = 0; i < disturbances && !world.finished() && world.broken_laws().empty();
       ++i) {
    world.run_for(Duration(random.below(random.chance(3) ? 20'000'000'000 : 300'000'000)));
    if (!world.finished()) disturb(world);
    if (random.chance(20)) world.set_temper(temper_from(random));
  }
  const bool second_signal = random.chance(2);
  world.tell(event::StopAsked{.quick = random.chance(4), .why = "SIGTERM"});
  if (second_signal) {
    world.run_for(Duration(random.below(3'000'000'000)));
    world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  }
  world.run_for(settings.grace + 5s);
  require_lawful(world);
  INFO("seed " << seed);
  REQUIRE(world.finished());
  steps += world.steps();
}

}  // namespace

TEST_CASE("whatever happens, the laws hold and a stop ends in time") {
  const std::uint64_t only = number_from_environment("NODEINIT_SEED", 0);
  const std::uint64_t seeds = number_from_environment("NODEINIT_SEEDS", 1000);
  std::uint64_t steps = 0;
  if (only != 0) {
    live(only, steps);
  } else {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      live(seed, steps);
    }
  }
  WARN(steps << " steps");
}

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
  once.config.restart_was_set = true;
  World world(1, {}, {once}, {.crashes_at_start = 1});
  world.start();
  world.run_for(60s);
  REQUIRE(world.finished());
  CHECK(world.spawns() == 1);
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
  for (const Temper broken :
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
  CHECK(world.spawns() == 4);
  std::set<unsigned> instances;
  for (const auto& [incarnation, worker] : world.supervisor().workers()) {
    instances.insert(worker.instance);
  }
  CHECK(instances == std::set<unsigned>{0, 1, 2});
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
