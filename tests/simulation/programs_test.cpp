// Several programs in one container, and the hooks around them.

#include "scene.h"

using namespace ni;
using namespace ni::simulation;

namespace {

ProgramPlan program(std::string name, unsigned workers = 2) {
  ProgramPlan plan;
  plan.config.name = std::move(name);
  plan.config.command = {"node", "server.js"};
  plan.workers = workers;
  return plan;
}

// Ends by itself, with 0 or the temper's code: it is not a server.
ProgramPlan job(bool essential) {
  ProgramPlan plan = program("job", 1);
  plan.config.ready = Readiness::online;
  plan.config.restart = RestartMode::never;
  plan.config.essential = essential;
  return plan;
}

Incarnation only_worker_of(World& world, std::size_t index) {
  return *world.supervisor().programs()[index].slots[0].current;
}

}  // namespace

TEST_CASE("an essential program that has ended for good ends the container with its code") {
  World world(1, {}, {program("web"), job(true)}, {});
  world.start();
  world.run_for(10s);
  REQUIRE(world.ready_workers() == 3);
  world.murder(only_worker_of(world, 1));
  world.run_for(10s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 137);
  require_lawful(world);
}

TEST_CASE("a program that is not essential leaves the others running") {
  World world(1, {}, {program("web"), job(false)}, {});
  world.start();
  world.run_for(10s);
  world.murder(only_worker_of(world, 1));
  world.run_for(60s);
  CHECK_FALSE(world.finished());
  CHECK(world.ready_workers() == 2);
  CHECK(world.supervisor().is_ready());
  world.tell(event::ReloadAsked{});  // what is done does not make it fail
  world.run_for(60s);
  REQUIRE(world.rollouts().size() == 2);
  CHECK((world.rollouts()[0].succeeded && world.rollouts()[1].succeeded));
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(20s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 0);
  require_lawful(world);
}

TEST_CASE("a crash loop of a program that is not essential ends only that program") {
  ProgramPlan queue = program("queue", 2);
  queue.config.essential = false;
  World world(3, {}, {program("web"), queue}, {});
  world.start();
  world.run_for(30s);
  REQUIRE(world.ready_workers() == 4);
  world.set_temper({.crashes_at_start = 1});
  world.murder(only_worker_of(world, 1));
  world.murder(*world.supervisor().programs()[1].slots[1].current);
  world.run_for(30min);
  CHECK_FALSE(world.finished());
  CHECK(world.supervisor().programs()[1].stage == Program::Stage::finished);
  CHECK(world.ready_workers() == 2);
  require_lawful(world);
}

TEST_CASE("when no program runs any more the container ends with the code of the last") {
  World world(5, {}, {job(false), job(false)}, {});
  world.start();
  world.run_for(5s);
  world.murder(only_worker_of(world, 0));
  world.run_for(5s);
  CHECK_FALSE(world.finished());
  world.murder(only_worker_of(world, 1));
  world.run_for(20s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 137);
  require_lawful(world);
}

TEST_CASE("pre_start runs before the first worker, post_stop after the last") {
  World world(7, {.pre_start = true, .post_stop = true}, {program("web")}, {});
  world.start();
  CHECK(world.supervisor().phase() == Phase::preparing);
  CHECK(world.spawns() == 0);
  CHECK_FALSE(world.supervisor().is_ready());
  world.tell(event::ScaleBy{.program = {}, .workers = 1});
  world.run_for(10s);
  CHECK(world.ready_workers() == 3);
  CHECK(world.hooks() == std::vector{Hook::pre_start});
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(20s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 0);
  CHECK(world.hooks() == std::vector{Hook::pre_start, Hook::post_stop});
  require_lawful(world);
}

TEST_CASE("a failed pre_start ends the container with its code, and no worker was started") {
  for (const bool cannot_start : {false, true}) {
    World world(7, {.pre_start = true, .post_stop = true}, {program("web")},
                {.spawn_fails = cannot_start ? 1U : 0U, .hook_fails = 1});
    world.start();
    world.run_for(20s);
    REQUIRE(world.finished());
    CHECK(world.finished()->exit_code == (cannot_start ? 127 : 3));
    CHECK(world.finished()->reason.find("pre_start") != std::string::npos);
    CHECK(world.spawns() == 0);
    CHECK(world.hooks() == std::vector{Hook::pre_start});
    require_lawful(world);
  }
}

TEST_CASE("pre_start may take as long as it wants, and a stop ends it") {
  for (const unsigned ignores_term : {0U, 1U}) {
    World world(9, {.grace = 8s, .pre_start = true}, {program("web")},
                {.ignores_term = ignores_term, .hook_hangs = 1});
    world.start();
    world.run_for(24h);
    CHECK(world.supervisor().phase() == Phase::preparing);
    const Instant asked = world.now();
    world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
    world.run_until(asked + (ignores_term == 0 ? 1s : 10s));
    REQUIRE(world.finished());
    CHECK(world.spawns() == 0);
    // SIGTERM may have been answered in order (0); a killed one has not succeeded.
    CHECK((ignores_term == 0 ? world.finished()->exit_code != 137
                             : world.finished()->exit_code == 137));
    require_lawful(world);
  }
}

TEST_CASE("a post_stop that hangs is killed, and changes nothing about the exit code") {
  World world(11, {.grace = 8s, .post_stop = true}, {program("web")},
              {.ignores_term = 1, .hook_hangs = 1});
  world.start();
  world.run_for(10s);
  world.tell(event::StopAsked{.quick = false, .why = "SIGTERM"});
  world.run_for(13s);
  REQUIRE(world.finished());
  CHECK(world.finished()->exit_code == 137);  // the workers ignored SIGTERM
  CHECK(world.hooks() == std::vector{Hook::post_stop});
  require_lawful(world);
}
