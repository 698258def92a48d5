#include "app/cluster/guards.h"

#include <map>
#include <string>
#include <vector>

#include "support/catch.h"

using namespace ni;
using namespace ni::app;

namespace {

// A program of two workers that are ready, with a guard for slow loops.
struct Scene {
  Scene()
      : supervisor({}, {plan()}, Random(1)),
        log(LogLevel::info, LogFormat::text),
        guards(deployment, supervisor, log,
               {.post = [this](Event event) { posted.push_back(std::move(event)); },
                .is_unresponsive = [](Incarnation) { return false; },
                .excuse = [](Incarnation) {},
                .loop_delay = [this](Incarnation worker) { return delays[worker]; }}) {
    DeployedProgram program{};
    program.config = plan().config;
    deployment.programs.push_back(std::move(program));
    log.send_to([this](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    Actions actions;
    supervisor.start(Instant(0s), actions);
    for (const std::uint32_t number : {1U, 2U}) {
      const Incarnation worker{number};
      tell(event::Spawned{worker, *Pid::from(static_cast<int>(100 + number))});
      tell(event::AskedForSocket{worker});
      tell(event::Listening{worker, true});
    }
    guards.deployed(Instant(0s));
  }
  static ProgramPlan plan() {
    ProgramPlan plan;
    plan.config.name = "web";
    plan.config.command = {"node", "a.js"};
    plan.config.max_loop_delay = LoopDelayLimit{.delay = 500ms, .lasting = 10s};
    plan.workers = 2;
    return plan;
  }
  void tell(const Event& event) {
    Actions actions;
    supervisor.on(event, Instant(0s), actions);
  }
  void look_until(Duration until) {
    for (; at <= until; at += 1s) {
      guards.act(Instant(at));
    }
  }

  Deployment deployment;
  Supervisor supervisor;
  Log log;
  std::map<Incarnation, Duration> delays;
  std::vector<Event> posted;
  std::vector<std::string> lines;
  Guards guards;
  Duration at{};
};

}  // namespace

TEST_CASE("a worker that is slow all the time is told of once in so long") {
  Scene scene;
  REQUIRE(scene.supervisor.ready_workers(scene.supervisor.programs()[0]) == 2);
  scene.delays[Incarnation{2}] = 900ms;
  scene.look_until(10s);
  CHECK(scene.posted.empty());
  scene.look_until(12s);
  REQUIRE(scene.posted.size() == 1);
  const auto& slow = std::get<event::SlowLoop>(scene.posted.front());
  CHECK(slow.worker == Incarnation{2});
  CHECK(slow.delay == 900ms);
  CHECK(scene.guards.next_deadline() == Instant(13s));
}

TEST_CASE("where all are slow that is one line, and nobody is told of") {
  Scene scene;
  scene.delays = {{Incarnation{1}, 900ms}, {Incarnation{2}, 901ms}};
  scene.look_until(60s);
  CHECK(scene.posted.empty());
  REQUIRE(scene.lines.size() == 1);
  CHECK(scene.lines.front().find("the event loops of all 2 workers") != std::string::npos);
}

TEST_CASE("without a guard nothing wakes for one") {
  Scene scene;
  scene.deployment.programs[0].config.max_loop_delay.reset();
  scene.guards.deployed(Instant(0s));
  CHECK_FALSE(scene.guards.next_deadline());
  scene.delays[Incarnation{2}] = 900ms;
  scene.look_until(60s);
  CHECK(scene.posted.empty());
}
