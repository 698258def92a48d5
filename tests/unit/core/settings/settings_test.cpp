#include "core/settings/settings.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/settings/configure.h"
#include "core/settings/settings_file.h"
#include "support/catch.h"

using namespace ni;

namespace {

struct Sample {
  std::string good;                // not the default
  std::string shown;               // what it is shown as
  std::vector<std::string> wrong;  // refused
};

// One for each row of the table: a row without a sample fails the tests below.
const std::map<std::string_view, Sample> kSamples = {
    {"mode", {"CLUSTER", "cluster", {"", "fork", "cluster "}}},
    {"workers",
     {"1 .. AUTO", "1..auto", {"0..4", "4..2", "..4", "2..", "1..max", "1..1025", "auto..4"}}},
    {"workers", {"-1", "-1", {"0", "-0", "1.5", "0%", "1001%", "1025", "many", "--1", "+1", "-"}}},
    {"max_workers", {"8", "8", {"0", "-1", "auto", "1025", "99999999999999999999"}}},
    {"balance", {"client-ip", "client-ip", {"random", "client_ip"}}},
    {"ready", {"message", "message", {"yes", "http"}}},
    {"memory", {"70%", "70%", {"70", "0%", "101%", "1K", "much"}}},
    {"ready_timeout", {"90s", "90s", {"5 parsecs", "5", "0", "0s", "-1s", "1s2", "", "99999d"}}},
    {"grace", {"1.5s", "1500ms", {"10", "soon", "off"}}},
    {"stop_delay", {"2s", "2s", {"10", "none"}}},
    {"stop", {"signal", "signal", {"SIGTERM", "drained"}}},
    {"drain", {"90s", "90s", {"none", "90", "-1s"}}},
    {"stop_signal",
     {"int", "SIGINT", {"0", "65", "SIGFOO", "-9", "", "STOP", "CHLD", "KILL", "RTMIN+-5"}}},
    {"restart", {"on-failure", "on-failure", {"on_failure", "true", "yes"}}},
    {"restart_backoff", {"1s..5m", "1s..5m", {"5s..1s", "..", "1s..", "..1s", "1..2", "1s.2s"}}},
    {"restart_limit",
     {"5/1m", "5/60s", {"5", "/60s", "5/", "0/60s", "5/0s", "1001/60s", "-1/60s"}}},
    {"stop_codes", {" 0, 78", "0,78", {"256", "-1", "1,,2", "a", "1;2", ""}}},
    {"max_memory", {"300M", "300M", {"0", "0%", "101%", "1023K", "300 parsecs", "-1M", "%"}}},
    {"max_age", {"365d", "8760h", {"0", "500ms", "24", "a day", "3651d"}}},
    {"max_requests",
     {"10000 +- 5%",
      "10000±5%",
      {"0", "-1", "10000±", "10000±5", "10000±101%", "±5%", "10000%", "1000000000001"}}},
    {"max_loop_delay",
     {"1s", "1s/60s", {"500", "9ms/1m", "500ms/1s", "5s/4s", "/1m", "500ms/", "1s/1m/1h"}}},
    {"hang_timeout", {"30s", "30s", {"30", "-1s"}}},
    {"hang_signal", {"abrt", "SIGABRT", {"SIGTERM", "0", ""}}},
    {"spares", {"1", "1", {"-1", "none", "1025"}}},
    {"orphans", {"keep", "keep", {"kill", "on", ""}}},
    {"surge", {"0", "0", {"-1", "25%"}}},
    {"heap", {"off", "off", {"512M", "maybe"}}},
    {"module", {"off", "off", {"2", "maybe", "on"}}},
    {"worker_metrics", {"off", "off", {"2", "maybe"}}},
    {"request_metrics", {"off", "off", {"2", "maybe"}}},
    {"resize", {"False", "off", {"2", "disabled"}}},
    {"resize", {"Reload", "reload", {"grow", "reload,on"}}},
    {"log", {"json", "json", {"text", "raw"}}},
    {"log_level", {"debug", "debug", {"verbose", "warning"}}},
    {"log_json", {"wrap", "wrap", {"nest"}}},
    {"log_full", {"drop", "drop", {"block"}}},
    {"log_format", {"json", "json", {"logfmt", "auto"}}},
    {"http",
     {"[::1]:9464",
      "[::1]:9464",
      {"9464", "localhost:80", ":65536", ":", "1.2.3:80", "1.2.3.256:1", "::1:80", "[]:80",
       "[:::::]:80", "[1:2]:80", "[1:2:3:4:5:6:7:8:9]:80", "[::12345]:80", "[1::2::3]:80",
       "[1.2.3.4::]:80", "http://x:80"}}},
    {"adopt", {"off", "off", {"yes", "on", ""}}},
    {"http_detail", {"full", "full", {"none", "all", "full,plain"}}},
    {"control",
     {"/run/nodeinit.sock",
      "/run/nodeinit.sock",
      {"run/x", "@", "", "no", "/a\nb", "/" + std::string(107, 'a')}}},
    {"signals",
     {"TERM=int, hup=forward,USR2=reload",
      "TERM=SIGINT,HUP=forward,USR2=reload",
      {"TERM", "TERM=", "=INT", "KILL=TERM", "STOP=ignore", "CHLD=ignore", "TERM=INT,15=QUIT",
       "TERM=explode", "TERM=INT,", ""}}},
    {"user",
     {"1000:1000",
      "1000:1000",
      {"", ":", "a:", ":b", "1:2:3", "4294967295", "99999999999", "a b", "-x"}}},
    {"termination_log", {"/tmp/why", "/tmp/why", {"why", "", "/a\x7f"}}},
    {"pre_start", {"node 'migrate it.js'", "node 'migrate it.js'", {"", "  ", "node '", "''"}}},
    {"post_stop", {"/bin/after", "/bin/after", {"", "\\"}}},
    {"ready_workers", {" 50%", "50%", {"0", "101%", "0%", "-1", "x", "", "none"}}},
    {"slot_variables",
     {" pm_id, ID",
      "pm_id,ID",
      {"", "a,,b", "a=b", ",", "NODE_CHANNEL_FD", "a,NODE_UNIQUE_ID", "NODE_OPTIONS", "PATH"}}},
    {"env_file", {"/run/secrets/env", "/run/secrets/env", {"", "a\nb"}}},
    {"directory", {"/app", "/app", {""}}},
    {"share", {"30%", "30%", {"30", "0%", "101%", ""}}},
    {"essential", {"off", "off", {"maybe"}}},
};

const Sample& sample(const Setting& setting) {
  const auto found = kSamples.find(setting.key);
  INFO("no sample for " << setting.key);
  REQUIRE(found != kSamples.end());
  return found->second;
}

bool is_everywhere(const Setting& setting) {
  return setting.scope != Setting::Scope::program_only;
}

const Chosen& chosen(const Configured& configured, const Setting& setting) {
  const auto found = std::ranges::find(configured.top, &setting, &Chosen::setting);
  REQUIRE(found != configured.top.end());
  return *found;
}

std::string shown(const Configured& configured, const Setting& setting) {
  return setting.show(configured.config, configured.config.top_level);
}

// stop_delay must be shorter than grace: a sample alone is in order.
Written as_option(const Setting& setting, const std::string& text) {
  return {&setting, text, {Origin::From::option, option_name(setting)}};
}

WrittenFile as_file(const Setting& setting, const std::string& text) {
  return read_settings_file(std::string(setting.key) + " = '''" + text + "'''\n", "f.toml");
}

}  // namespace

TEST_CASE("a row's default is what the typed configuration starts with") {
  for (const Setting& setting : settings()) {
    INFO(setting.key);
    if (setting.key == "grace") {
      CHECK(setting.fallback == "28s in Kubernetes, else 8s");
      CHECK(setting.show(Config{}, ProgramConfig{}) == "8s");
      continue;
    }
    CHECK(setting.show(Config{}, ProgramConfig{}) == setting.fallback);
    Config container;
    ProgramConfig program;
    CHECK(setting.read(setting.fallback, container, program));
  }
}

TEST_CASE("each key is there once, in small letters, and each row says what it is") {
  std::set<std::string_view> keys;
  for (const Setting& setting : settings()) {
    INFO(setting.key);
    CHECK(keys.insert(setting.key).second);
    CHECK(as_key(setting.key) == setting.key);
    CHECK(find_setting(setting.key) == &setting);
    CHECK_FALSE(setting.allowed.empty());
    CHECK_FALSE(setting.help.empty());
    CHECK_FALSE(setting.value.empty());
  }
  CHECK(keys.size() == kSamples.size());
  CHECK(option_name(*find_setting("ready_timeout")) == "--ready-timeout");
  CHECK(variable_name(*find_setting("ready_timeout")) == "NODEINIT_READY_TIMEOUT");
}

TEST_CASE("each setting is read, shown as what reads back the same, and refuses nonsense") {
  for (const Setting& setting : settings()) {
    const Sample& own = sample(setting);
    Config container;
    ProgramConfig program;
    INFO(setting.key);
    REQUIRE(setting.read(own.good, container, program));
    const std::string shown = setting.show(container, program);
    CHECK(shown == own.shown);
    CHECK(shown != setting.fallback);
    Config container_again;
    ProgramConfig program_again;
    REQUIRE(setting.read(shown, container_again, program_again));
    CHECK(setting.show(container_again, program_again) == shown);
    for (const std::string& wrong : own.wrong) {
      INFO(wrong);
      CHECK_FALSE(setting.read(wrong, container_again, program_again));
    }
  }
}

TEST_CASE("each setting is taken from an option, a variable and the file, in this precedence") {
  for (const Setting& setting : settings()) {
    if (!is_everywhere(setting)) {
      continue;
    }
    INFO(setting.key);
    const Sample& own = sample(setting);
    const std::string fallback = setting.key == "grace" ? "8s" : std::string(setting.fallback);
    const Environment variable = {{variable_name(setting), own.good}};
    const Environment variable_with_default = {{variable_name(setting), fallback}};

    const Configured nothing = configure({}, {}, {}, {});
    CHECK(chosen(nothing, setting).origin.where == "default");

    const Configured by_file = configure({}, {}, as_file(setting, own.good), {});
    CHECK(by_file.problems.empty());
    CHECK(shown(by_file, setting) == own.shown);
    CHECK(chosen(by_file, setting).origin.where ==
          "f.toml:1:" + std::to_string(setting.key.size() + 4));

    const Configured by_variable = configure({}, variable, as_file(setting, fallback), {});
    CHECK(by_variable.problems.empty());
    CHECK(by_variable.warnings.empty());
    CHECK(shown(by_variable, setting) == own.shown);
    CHECK(chosen(by_variable, setting).origin.where == variable_name(setting));

    const Configured by_option = configure({as_option(setting, own.good)}, variable_with_default,
                                           as_file(setting, fallback), {});
    CHECK(by_option.problems.empty());
    CHECK(shown(by_option, setting) == own.shown);
    CHECK(chosen(by_option, setting).origin.where == option_name(setting));
  }
}

TEST_CASE("a wrong value is a problem from every source, even when a stronger one hides it") {
  for (const Setting& setting : settings()) {
    if (!is_everywhere(setting)) {
      continue;
    }
    INFO(setting.key);
    const Sample& own = sample(setting);
    const std::string& wrong = own.wrong.front().empty() ? own.wrong.back() : own.wrong.front();
    const std::string fallback = setting.key == "grace" ? "8s" : std::string(setting.fallback);
    const Configured configured =
        configure({as_option(setting, fallback)}, {{variable_name(setting), wrong}}, {}, {});
    REQUIRE(configured.problems.size() == (wrong.empty() ? 0U : 1U));
    for (const Problem& problem : configured.problems) {
      CHECK(problem.where == variable_name(setting));
      CHECK(problem.what.find(setting.allowed) != std::string::npos);
    }
    CHECK(configure({as_option(setting, own.wrong.front())}, {}, {}, {}).problems.size() == 1);
  }
}
