#include "core/settings/settings_file.h"

#include <chrono>

#include "support/catch.h"

using namespace ni;
using Texts = std::vector<std::string>;

namespace {

Texts problems_of(std::string_view text) {
  Texts texts;
  const WrittenFile file = read_settings_file(text, "/etc/nodeinit.toml");
  for (const Problem& problem : configure({}, {}, file, {}).problems) {
    texts.push_back(to_string(problem));
  }
  return texts;
}

}  // namespace

TEST_CASE("TOML's own types stand for a setting's text") {
  const WrittenFile file = read_settings_file(R"(
workers = 4
resize = false
stop_codes = [0, 78]
signals = ["TERM=INT", "HUP=forward"]
pre_start = ["node", "migrate it.js"]
)",
                                              "f");
  CHECK(file.problems.empty());
  const Configured configured = configure({}, {}, file, {"node", "a.js"});
  CHECK(configured.problems.empty());
  CHECK(configured.config.programs.at(0).workers.amount == 4);
  CHECK(configured.config.resize == FollowResize::off);
  CHECK(configured.config.programs.at(0).stop_codes == std::vector<int>{0, 78});
  CHECK(configured.config.signals.size() == 2);
  CHECK(configured.config.pre_start == Texts{"node", "migrate it.js"});
}

TEST_CASE("an unknown key is named with its place and the likely one") {
  CHECK(
      problems_of("ready_timeuot = '3s'\n") ==
      Texts{"/etc/nodeinit.toml:1:1: unknown key \"ready_timeuot\"; did you mean ready_timeout?"});
  CHECK(
      problems_of("\n  ready-timeout = '3s'\n") ==
      Texts{"/etc/nodeinit.toml:2:3: unknown key \"ready-timeout\"; did you mean ready_timeout?"});
  CHECK(problems_of("[[progam]]\nname='a'\n") ==
        Texts{"/etc/nodeinit.toml:1:3: unknown key \"progam\"; did you mean program?"});
  CHECK(problems_of("zzzzzzzzzz = 1\n") ==
        Texts{"/etc/nodeinit.toml:1:1: unknown key \"zzzzzzzzzz\""});
}

TEST_CASE("a value of a wrong kind is named with its place and what is allowed") {
  CHECK(problems_of("grace = 5.5\nlog = ['json']\nworkers = {}\n") ==
        Texts{"/etc/nodeinit.toml:1:9: cannot use this kind of value for grace; allowed: a time "
              "such as 250ms, "
              "5s, 2m or 24h",
              "/etc/nodeinit.toml:2:7: cannot use this kind of value for log; allowed: auto, "
              "inherit, lines, "
              "prefix or json",
              "/etc/nodeinit.toml:3:11: cannot use this kind of value for workers; allowed: auto, "
              "max, N (1 to "
              "1024), -K, P%, N..M or N..auto"});
  CHECK(problems_of("grace = 5\n") ==
        Texts{"/etc/nodeinit.toml:1:9: cannot use \"5\" for grace; allowed: a time "
              "such as 250ms, 5s, 2m or 24h; did you mean 5s?"});
}

TEST_CASE("keys that stand in the wrong place are told where they belong") {
  CHECK(problems_of("share = '10%'\n[[program]]\nname = 'a'\ncommand = 'x'\ngrace = '3s'\n") ==
        Texts{"/etc/nodeinit.toml:1:1: share belongs inside a [[program]]",
              "/etc/nodeinit.toml:5:1: grace is for the whole container: it belongs above every "
              "[[program]]"});
  CHECK(
      problems_of("command = 'x'\n[[program]]\nname = 'a'\ncommand = 'x'\n") ==
      Texts{
          "/etc/nodeinit.toml: command and [[program]] exclude each other: move the command into a "
          "[[program]]"});
  CHECK(problems_of("[program]\nname = 'a'\n") ==
        Texts{"/etc/nodeinit.toml:1:1: write [[program]], once for each program"});
}

TEST_CASE("commands, names and variables that cannot be used are refused") {
  CHECK(problems_of("command = \"node '\"\n").size() == 1);
  CHECK(problems_of("command = []\n").size() == 1);
  CHECK(problems_of("command = 3\n").size() == 1);
  CHECK(problems_of("command = ['node', \"a\\u0000b\"]\n").size() == 1);
  CHECK(problems_of("name = ''\n").size() == 1);
  CHECK(problems_of("name = \"a\\nb\"\n").size() == 1);
  CHECK(problems_of("env = 3\n") ==
        Texts{"/etc/nodeinit.toml:1:7: env must be a table: NAME = \"value\""});
  CHECK(problems_of("[env]\n\"A=B\" = 'x'\n") ==
        Texts{"/etc/nodeinit.toml:2:1: \"A=B\" cannot be the name of a variable"});
  CHECK(problems_of("[env]\nSECRET = [1]\n") ==
        Texts{"/etc/nodeinit.toml:2:10: the value of a variable must be a string, a whole number "
              "or a boolean"});
}

TEST_CASE("broken syntax is told with its place") {
  const Texts texts = problems_of("workers = \n");
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].starts_with("/etc/nodeinit.toml:1:"));
}

TEST_CASE("a megabyte of garbage is one short message, at once") {
  const auto start = std::chrono::steady_clock::now();
  std::string noise;
  std::string nested;
  std::string keys;
  for (unsigned i = 0; noise.size() < (1U << 20U); ++i) {
    noise += static_cast<char>(i * 7919 % 251 + 1);
    nested += '[';
    keys += i < 20000 ? "k" + std::to_string(i) + " = 1\n" : "";
  }
  for (const std::string& text : {noise, nested, "workers = " + nested}) {
    const Texts texts = problems_of(text);
    REQUIRE(texts.size() == 1);
    CHECK(texts[0].size() < 500);
  }
  CHECK(problems_of(keys).size() == 200);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("an environment file is read line by line and nothing is expanded") {
  std::vector<Problem> problems;
  const Environment environment = read_environment_file(
      "# comment\n\nA=1\nexport B = two words \nC='a $A # b' # "
      "why\nD=\"x\\ny\\\"\"\nE=\r\nF=a#b=c\n",
      "env", problems);
  CHECK(problems.empty());
  CHECK(environment == Environment{{"A", "1"},
                                   {"B", "two words"},
                                   {"C", "a $A # b"},
                                   {"D", "x\ny\""},
                                   {"E", ""},
                                   {"F", "a#b=c"}});
}

TEST_CASE("a wrong line of an environment file is told by its number, without its text") {
  std::vector<Problem> problems;
  (void)read_environment_file("A=1\nhunter2\n=x\nB='open\n", "env", problems);
  REQUIRE(problems.size() == 3);
  CHECK(to_string(problems[0]) == "env:2: not a NAME=VALUE line");
  CHECK(to_string(problems[1]) == "env:3: not a NAME=VALUE line");
  CHECK(to_string(problems[2]) == "env:4: the quote is not closed, or text follows it");
}

TEST_CASE(
    "letters of any script where TOML wants none are a problem with a place; in texts they stay") {
  for (const char* const text :
       {"\xEF\xBB\x84", "name = \u00e4", "\u3041 = 1", "workers = 2 \u0401"}) {
    const Texts problems = problems_of(text);
    REQUIRE_FALSE(problems.empty());
    CHECK(problems[0].starts_with("/etc/nodeinit.toml:1:"));
  }
  const WrittenFile file =
      read_settings_file("command = \"\"\"node \\\n  \u00e4\u3041.js\"\"\"  # \u0401\n", "f");
  CHECK(file.problems.empty());
  CHECK(file.top.command == Texts{"node", "\u00e4\u3041.js"});
}
