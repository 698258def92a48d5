#include "core/settings/configure.h"

#include <algorithm>

#include "core/settings/settings_file.h"
#include "support/catch.h"

using namespace ni;

namespace {

Configured from_toml(std::string_view text, const Environment& environment = {},
                     const std::vector<std::string>& command = {}) {
  return configure({}, environment, read_settings_file(text, "f.toml"), command);
}

std::vector<std::string> problems_of(const Configured& configured) {
  std::vector<std::string> texts;
  for (const Problem& problem : configured.problems) {
    texts.push_back(to_string(problem));
  }
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("grace is 28 s in Kubernetes, 8 s elsewhere, and what the user says everywhere") {
  CHECK(configure({}, {}, {}, {}).config.grace == 8s);
  const Environment kubernetes = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}};
  CHECK(configure({}, kubernetes, {}, {}).config.grace == 28s);
  CHECK(from_toml("grace = '5s'", kubernetes).config.grace == 5s);
}

TEST_CASE("WEB_CONCURRENCY is honoured only when workers is unset everywhere") {
  const Environment web = {{"WEB_CONCURRENCY", "3"}};
  const auto row = [](const Configured& configured) {
    return *std::ranges::find(configured.top, "workers",
                              [](const Chosen& chosen) { return chosen.setting->key; });
  };
  const Configured alone = configure({}, web, {}, {"node", "a.js"});
  CHECK(row(alone).origin.where == "WEB_CONCURRENCY");
  REQUIRE(alone.config.programs.size() == 1);
  CHECK(alone.config.programs[0].workers.amount == 3);
  const auto shown = [&row](const Configured& configured) {
    return row(configured).setting->show(configured.config, configured.config.top_level);
  };
  CHECK(shown(from_toml("workers = 2", web)) == "2");
  CHECK(shown(configure({}, {{"WEB_CONCURRENCY", "3"}, {"NODEINIT_WORKERS", "auto"}}, {}, {})) ==
        "auto");
}

TEST_CASE(
    "a WEB_CONCURRENCY that is no number of workers does not keep the container from starting") {
  const Configured configured = configure({}, {{"WEB_CONCURRENCY", "lots"}}, {}, {});
  CHECK(configured.problems.empty());
  REQUIRE(configured.warnings.size() == 1);
  CHECK(to_string(configured.warnings[0]) ==
        "WEB_CONCURRENCY: \"lots\" is not a number of workers, ignored");
  CHECK(configure({}, {{"WEB_CONCURRENCY", ""}}, {}, {}).warnings.empty());
}

TEST_CASE(
    "an unknown NODEINIT_ variable is a warning with a hint; an empty one counts as not given") {
  const Configured configured =
      configure({}, {{"NODEINIT_GRASE", "5s"}, {"NODEINIT_WORKERS", ""}}, {}, {});
  CHECK(configured.problems.empty());
  REQUIRE(configured.warnings.size() == 1);
  CHECK(to_string(configured.warnings[0]) ==
        "NODEINIT_GRASE: unknown variable, ignored; did you mean NODEINIT_GRACE?");
}

TEST_CASE(
    "variables that Kubernetes makes for a Service called nodeinit, and our own, make no noise") {
  const Environment environment = {{"NODEINIT_SERVICE_HOST", "10.0.0.7"},
                                   {"NODEINIT_SERVICE_PORT", "80"},
                                   {"NODEINIT_SERVICE_PORT_HTTP", "80"},
                                   {"NODEINIT_PORT", "tcp://10.0.0.7:80"},
                                   {"NODEINIT_PORT_80_TCP", "tcp://10.0.0.7:80"},
                                   {"NODEINIT_PORT_80_TCP_PROTO", "tcp"},
                                   {"NODEINIT_SLOT", "1"},
                                   {"NODEINIT_SLOTS", "2"},
                                   {"NODEINIT_CONFIG", "/x"}};
  CHECK(configure({}, environment, {}, {}).warnings.empty());
  CHECK(
      configure({}, {{"NODEINIT_share", "3%"}, {"NODEINIT_SHARE", "3%"}}, {}, {}).warnings.size() ==
      2);
}

TEST_CASE("a program's own variables win over those of the top level, each name there once") {
  const Configured configured = from_toml(
      "[env]\nNODE_OPTIONS = '--no-warnings'\nPATH = '/a'\nA = 1\n[[program]]\nname = 'web'\n"
      "command = 'node a.js'\n[program.env]\nNODE_OPTIONS = '--max-old-space-size=300'\nPATH = "
      "'/b'\n");
  CHECK(problems_of(configured).empty());
  const Environment& environment = configured.config.programs.at(0).environment;
  CHECK(environment.size() == 3);
  CHECK(find_variable(environment, "NODE_OPTIONS") == "--max-old-space-size=300");
  CHECK(find_variable(environment, "PATH") == "/b");
  CHECK(find_variable(environment, "A") == "1");
}

TEST_CASE(
    "the command line's command is stronger than the file's, and its base name is the program's") {
  const Configured configured = from_toml("command = 'node a.js'", {}, {"/usr/bin/node", "b.js"});
  REQUIRE(configured.config.programs.size() == 1);
  CHECK(configured.config.programs[0].command == Texts{"/usr/bin/node", "b.js"});
  CHECK(configured.config.programs[0].name == "node");
  CHECK(from_toml("command = 'node a.js'\nname = 'web'").config.programs.at(0).name == "web");
  CHECK(configure({}, {}, {}, {"/usr/bin/"}).config.programs.at(0).name == "bin");
}

TEST_CASE("a program takes from the top level what it does not set itself") {
  const Configured configured = from_toml(R"(
max_memory = "300M"
workers = 4
env = { A = "1" }
[[program]]
name = "web"
command = "node web.js"
[[program]]
name = "queue"
command = ["node", "queue.js"]
workers = 1
ready = "online"
share = "30%"
essential = false
env = { B = 2, C = true }
)",
                                          {{"NODEINIT_WORKERS", "2"}});
  CHECK(problems_of(configured).empty());
  REQUIRE(configured.config.programs.size() == 2);
  const ProgramConfig& web = configured.config.programs[0];
  const ProgramConfig& queue = configured.config.programs[1];
  CHECK(web.workers.amount == 2);
  CHECK(queue.workers.amount == 1);
  CHECK(queue.max_memory == MemoryAmount{Bytes{300 * kMiB}, 0});
  CHECK(queue.ready == Readiness::online);
  CHECK(queue.share == 30U);
  CHECK_FALSE(queue.essential);
  CHECK(web.environment == Environment{{"A", "1"}});
  CHECK(queue.environment == Environment{{"A", "1"}, {"B", "2"}, {"C", "true"}});
}

TEST_CASE("programs that contradict one another are all reported") {
  CHECK(problems_of(from_toml(R"([[program]]
name = "a"
command = "node a.js"
share = "60%"
[[program]]
name = "a"
command = "node b.js"
share = "50%"
[[program]]
command = "node c.js"
[[program]]
name = "d"
)",
                              {}, {"node", "x.js"})) ==
        Texts{"command line: a command here and [[program]] in f.toml:1:1: only one of them can "
              "say what runs",
              "f.toml:5:1: two programs are called \"a\"", "f.toml:9:1: a [[program]] needs a name",
              "f.toml:11:1: a [[program]] needs a command",
              "share: the programs' shares sum up to 110%, more than the container has"});
}

TEST_CASE("a stop delay that eats the whole grace is refused") {
  CHECK(problems_of(from_toml("stop_delay = '10s'")) ==
        Texts{"f.toml:1:14: stop_delay (10s) must be shorter than grace (8s, default)"});
  CHECK(from_toml("stop_delay = '10s'", {{"KUBERNETES_SERVICE_HOST", "x"}}).problems.empty());
}

TEST_CASE("of an option given twice the last counts") {
  const Setting* workers = find_setting("workers");
  const std::vector<Written> options = {{workers, "2", {Origin::From::option, "--workers"}},
                                        {workers, "3", {Origin::From::option, "--workers"}}};
  CHECK(configure(options, {}, {}, {"node", "a.js"}).config.programs.at(0).workers.amount == 3);
}
