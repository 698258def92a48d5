#include "app/cluster/deployment.h"

#include "support/catch.h"

using namespace ni;
using namespace ni::app;

namespace {

// Two programs that no node is needed for: a wrapper is started as it is.
Invocation two_programs() {
  Invocation invocation;
  ProgramConfig web;
  web.name = "web";
  web.command = {"/bin/sh", "-c", "exec web"};
  web.max_memory = MemoryAmount{.bytes = {}, .percent = 90};
  ProgramConfig jobs;
  jobs.name = "jobs";
  jobs.command = {"/bin/sh", "-c", "exec jobs"};
  invocation.config.programs = {web, jobs};
  return invocation;
}

}  // namespace

TEST_CASE("a program's configuration, plan and launcher stand in one value, by its number") {
  const auto deployment = deploy(two_programs(), Resources{});
  REQUIRE(deployment);
  CHECK(deployment->mode == Mode::cluster);
  REQUIRE(deployment->programs.size() == 2);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const DeployedProgram& program = deployment->of(ProgramId{i});
    CHECK(program.id == ProgramId{i});
    CHECK(program.config.name == (i == 0 ? "web" : "jobs"));
    REQUIRE(program.launcher.has_value());
    CHECK(program.launcher->signals_group());
  }
}

TEST_CASE("a share of a memory limit that is not there is told from no limit at all") {
  const auto deployment = deploy(two_programs(), Resources{});
  REQUIRE(deployment);
  CHECK(deployment->programs[0].lacks_memory_limit());
  CHECK_FALSE(deployment->programs[1].lacks_memory_limit());

  Resources limited;
  limited.memory = Sourced<Bytes>{.value = Bytes{1024 * kMiB}, .source = "memory.max"};
  limited.memory_limit = limited.memory;
  const auto with_limit = deploy(two_programs(), limited);
  REQUIRE(with_limit);
  CHECK_FALSE(with_limit->programs[0].lacks_memory_limit());
  CHECK(with_limit->programs[0].memory_allowed.has_value());
}

TEST_CASE("what a program has counted outlives its reload") {
  auto deployment = deploy(two_programs(), Resources{});
  auto again = deploy(two_programs(), Resources{});
  REQUIRE(deployment);
  REQUIRE(again);
  DeployedProgram& program = deployment->programs[0];
  program.rollouts_succeeded = 3;
  program.rollouts_failed = 1;
  again->programs[0].plan.workers = 7;
  program.replace(std::move(again->programs[0]));
  CHECK(program.plan.workers == 7);
  CHECK(program.rollouts_succeeded == 3);
  CHECK(program.rollouts_failed == 1);
}

TEST_CASE("the whole configuration is the container's with every program in it once") {
  const auto deployment = deploy(two_programs(), Resources{});
  REQUIRE(deployment);
  CHECK(deployment->container.programs.empty());
  CHECK(deployment->whole_config().programs.size() == 2);
  CHECK(deployment->plans().size() == 2);
}
