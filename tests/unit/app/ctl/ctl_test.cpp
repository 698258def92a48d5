#include "app/ctl/ctl.h"

#include "app/ctl/inspection.h"
#include "base/types.h"
#include "core/report/ctl_view.h"
#include "support/catch.h"

using namespace ni;
using namespace ni::app;
using wire::ControlVerb;
using wire::Json;
using Words = std::vector<std::string>;

namespace {

std::string refusal(const Words& words) {
  const auto command = parse_ctl(words);
  return command ? "" : command.error().reason;
}

Json worker(int slot, int pid, int cpu_ms) {
  return Json::object({{"slot", slot},
                       {"state", "ready"},
                       {"pid", pid},
                       {"uptime_ms", 182117},
                       {"cpu_ms", cpu_ms},
                       {"memory", 64 * kMiB},
                       {"loop_delay_ms", 0.3},
                       {"restarts", 1},
                       {"last_death", "crashed, SIGSEGV"},
                       {"since_death_ms", 182500}});
}

Json status(int cpu_ms) {
  const Json slots =
      Json::array({worker(0, 12, cpu_ms),
                   Json::object({{"slot", 1}, {"state", "backing off"}, {"restarts", 4}})});
  const Json program = Json::object({{"name", "web"},
                                     {"workers", 2},
                                     {"ready", 1},
                                     {"stage", "serving"},
                                     {"rolling", true},
                                     {"workers_reason", "ceil(1.5 CPUs / 1.2) = 2"},
                                     {"memory_per_worker", 256 * kMiB},
                                     {"slots", slots}});
  return Json::object({{"version", "0.1.0"},
                       {"phase", "running"},
                       {"ready", true},
                       {"uptime_ms", 183000},
                       {"cpus", 1.5},
                       {"cpus_source", "cpu.max"},
                       {"memory", 512 * kMiB},
                       {"memory_source", "memory.max"},
                       {"programs", Json::array({program})}});
}

}  // namespace

TEST_CASE("verbs and their operands become requests") {
  CHECK(parse_ctl(Words{"status", "--json"})->json);
  const auto scale = parse_ctl(Words{"scale", "-2", "--program", "web"});
  REQUIRE(scale);
  CHECK(scale->request.amount == -2);
  CHECK(scale->request.relative);
  CHECK(scale->request.program == "web");
  CHECK_FALSE(parse_ctl(Words{"scale", "3"})->request.relative);
  CHECK(parse_ctl(Words{"signal", "hup", "1"})->request.signal == signals::hup);
  CHECK(parse_ctl(Words{"signal", "hup", "1"})->request.slot == 1U);
  CHECK(parse_ctl(Words{"health", "live"})->request.live);
  CHECK_FALSE(parse_ctl(Words{"health"})->request.live);
  CHECK(parse_ctl(Words{"stop", "--quick"})->request.quick);
  for (const Words& wrong : {Words{"reload", "--program", "web"}, Words{"scale", "2", "--json"},
                             Words{"status", "--quick"}, Words{"top", "--env", "x"}}) {
    const auto refused = parse_ctl(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.find(wrong[0] + " takes no --") == 0);
  }
  CHECK(parse_ctl(Words{})->show == CtlCommand::Show::help);
}

TEST_CASE("wrong words are refused with what would be right") {
  CHECK(refusal({"list"}) == "what other tools call list is here: nodeinit ctl status");
  CHECK(refusal({"monit"}) == "what other tools call monit is here: nodeinit ctl top");
  CHECK(parse_ctl(Words{"reload", "all"}));
  CHECK(refusal({"reload", "web"}) == "reload takes no \"web\"");
  CHECK(refusal({"statsu"}) == "unknown verb \"statsu\"; did you mean status?");
  CHECK(refusal({"scale"}) == "scale needs N, +K or -K, from 1 to 1024");
  CHECK(refusal({"scale", "0"}) == "scale needs N, +K or -K, from 1 to 1024");
  CHECK(refusal({"restart"}) == "restart needs SLOT");
  CHECK(refusal({"restart", "x"}) == "\"x\" is no slot; slots are 0, 1, …");
  CHECK(refusal({"signal", "FOO"}) == "\"FOO\" is no signal");
  CHECK(refusal({"health", "alive"}) == "health is asked as live or ready");
  CHECK(refusal({"reload", "now"}) == "reload takes no \"now\"");
  CHECK(refusal({"status", "--jsno"}) == "unknown option or missing value: --jsno");
  CHECK(refusal({"stack"}) == "stack needs SLOT");
  CHECK(refusal({"heap-snapshot", "0", "1"}) == "heap-snapshot needs SLOT");
  CHECK(refusal({"report", "x"}) == "\"x\" is no slot; slots are 0, 1, …");
  CHECK(refusal({"cpu-profile", "0", "1h"}) == "cpu-profile takes a time such as 10s, up to 10m");
  CHECK(refusal({"cpu-profile", "0", "0s"}) == "cpu-profile takes a time such as 10s, up to 10m");
}

TEST_CASE("what a worker does is asked of a slot, for a time") {
  const auto command = parse_ctl(Words{"cpu-profile", "2", "30s", "--program", "web"});
  REQUIRE(command);
  CHECK(command->show == CtlCommand::Show::inspection);
  CHECK(command->request.slot == 2U);
  CHECK(command->request.program == "web");
  CHECK(command->time == 30s);
  CHECK_FALSE(parse_ctl(Words{"cpu-profile", "2"})->time);
}

TEST_CASE("a slot is looked for in the program that was named, or in the only one") {
  const Json web = Json::object({{"name", "web"}, {"slots", Json::array({worker(0, 12, 1)})}});
  const Json jobs = Json::object({{"name", "jobs"}, {"slots", Json::array({worker(3, 15, 1)})}});
  CHECK(find_slot(Json::array({web}), "", 0).at("pid").integer() == 12);
  CHECK(find_slot(Json::array({web, jobs}), "jobs", 3).at("pid").integer() == 15);
  CHECK_FALSE(find_slot(Json::array({web, jobs}), "", 0));
  CHECK_FALSE(find_slot(Json::array({web, jobs}), "web", 3));
  CHECK_FALSE(find_slot(Json(), "", 0));
}

TEST_CASE("a worker that is no Node, or is not there, is not inspected") {
  const auto bun = inspect("stack", worker(0, 12, 1), {});
  REQUIRE_FALSE(bun);
  CHECK(bun.error().reason == "its worker is no Node that nodeinit knows");
  const auto none = inspect("stack", Json::object({{"slot", 1}}), {});
  REQUIRE_FALSE(none);
  CHECK(to_string(none.error()) == "cannot inspect slot 1: it has no worker");
}

TEST_CASE("status is a table that a person can read") {
  CHECK(status_text(status(1200)) ==
        "nodeinit 0.1.0 · running, ready · up 3m3s\n"
        "limits: 1.5 CPUs (cpu.max) · 512 MiB memory (memory.max)\n"
        "\n"
        "web: 1 of 2 workers ready, reloading · ceil(1.5 CPUs / 1.2) = 2 · 256 MiB each\n"
        "  SLOT  PID  STATE        UPTIME  CPU TIME  MEMORY        LOOP   RESTARTS  LAST DEATH\n"
        "  0     12   ready        3m2s    1s        64 MiB (25%)  300us  1         crashed, "
        "SIGSEGV, 3m2s ago\n"
        "  1     -    backing off  -       -         -             -      4         -\n");
}

TEST_CASE("status says how near the limits the container has been") {
  Json seen = status(1200);
  seen.set("cpus_most", 1.437).set("throttled", 0.031).set("memory_most", 410 * 1024 * 1024);
  seen.set("loop_busy_p95", 0.62);
  CHECK(status_text(seen).find("\nused at most: 1.4 of 1.5 CPUs · throttled in 3% of the periods · "
                               "410 MiB of 512 MiB memory · event loops 62% busy (p95)\n") !=
        std::string::npos);
}

TEST_CASE("a status with nothing in it, or nonsense, is shown all the same") {
  CHECK(status_text(Json::object()).starts_with("nodeinit - · -, not ready · up -\n"));
  const auto odd = Json::parse(R"({"programs":[1,{"slots":[{"pid":"x","memory":-1}]}]})");
  REQUIRE(odd);
  CHECK_FALSE(status_text(*odd).empty());
}

TEST_CASE("top shows what was used between two samples") {
  TopHistory history;
  history.add(status(1000), 0);
  history.add(status(1500), 1.0);
  history.add(status(2500), 1.0);
  const std::string screen = history.screen(status(2500));
  CHECK(screen.find("100%  ▅█\n") != std::string::npos);
  history.add(Json::object(), 1.0);
  CHECK(history.screen(status(2500)).find("▅") == std::string::npos);
}
