#include "app/invocation/options.h"

#include <algorithm>

#include <cerrno>
#include <map>

#include "base/random.h"
#include "base/text.h"
#include "core/settings/command_line.h"
#include "core/settings/settings_file.h"
#include "support/catch.h"

using namespace ni;
using namespace ni::app;
using Words = std::vector<std::string>;
using Does = Invocation::Does;

namespace {

class FakeFiles final : public FileReader {
 public:
  std::map<std::string, std::string, std::less<>> files;
  std::map<std::string, int, std::less<>> failures;
  Result<std::string> read(std::string_view path) const override {
    if (const auto file = files.find(path); file != files.end()) {
      return file->second;
    }
    const auto failure = failures.find(path);
    return Error{.operation = "open",
                 .subject = std::string(path),
                 .code = failure == failures.end() ? ENOENT : failure->second,
                 .reason = {}};
  }
  bool is_directory(std::string_view) const override { return false; }
};

Invocation invoke(const Words& words, const Environment& environment = {},
                  const FakeFiles& files = {}) {
  Words argv = {"/sbin/nodeinit"};
  argv.insert(argv.end(), words.begin(), words.end());
  return read_invocation(argv, environment, files);
}

std::string complaint(const Words& words) {
  return invoke(words).complaints;
}

}  // namespace

TEST_CASE("options end at the first word that is none, or at --") {
  const Invocation plain = invoke({"--workers", "2", "node", "--inspect", "a.js", "--", "-x"});
  REQUIRE(plain.does == Does::run);
  CHECK(plain.config.programs.at(0).command == Words{"node", "--inspect", "a.js", "--", "-x"});
  CHECK(plain.config.programs.at(0).workers.amount == 2);
  CHECK(invoke({"--workers=-1", "--", "--odd-name"}).config.programs.at(0).command ==
        Words{"--odd-name"});
  CHECK(invoke({"--workers", "-1", "-"}).config.programs.at(0).command == Words{"-"});
}

TEST_CASE("ctl is the one reserved word, and only as the first") {
  const Invocation ctl = invoke({"ctl", "scale", "+1"});
  CHECK(ctl.does == Does::ctl);
  CHECK(ctl.words == Words{"scale", "+1"});
  CHECK(invoke({"--", "ctl", "status"}).config.programs.at(0).command == Words{"ctl", "status"});
  CHECK(invoke({"node", "ctl"}).does == Does::run);
}

TEST_CASE("wrong usage is told at once, exit code 64") {
  CHECK(complaint({"--wokers", "-q", "--check=1", "--json", "--grace"}) ==
        "nodeinit: --wokers: unknown option; did you mean --workers?\n"
        "nodeinit: -q: unknown option\n"
        "nodeinit: --check: has no value\n"
        "nodeinit: --grace: needs a value: a time such as 250ms, 5s, 2m or 24h\n"
        "nodeinit: --json: is only for --explain\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n");
  CHECK(invoke({"--wokers"}).exit_code == 64);
  CHECK(complaint({"--config="}) ==
        "nodeinit: --config: needs a value that is not empty\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n");
  CHECK(complaint({"--share", "3%", "x"}).starts_with("nodeinit: --share: unknown option"));
  CHECK(complaint({"--ready_timeout", "3s", "x"}) ==
        "nodeinit: --ready_timeout: unknown option; did you mean --ready-timeout?\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n");
}

TEST_CASE("without a command there is nothing to run, but a plan to explain") {
  const Invocation nothing = invoke({});
  CHECK(nothing.does == Does::leave);
  CHECK(nothing.exit_code == 64);
  CHECK(nothing.complaints ==
        "nodeinit: command line: no command to run, such as: nodeinit node server.js\n"
        "nodeinit: nothing was started; nodeinit --help shows the options\n");
  const Invocation explain = invoke({"--explain", "--json", "--root", "/captured"});
  CHECK(explain.does == Does::explain);
  CHECK(explain.json);
  CHECK(explain.root == "/captured");
  CHECK(invoke({"--check"}).exit_code == 0);
}

TEST_CASE("wrong values from every side are told together, exit code 78") {
  FakeFiles files;
  files.files["/etc/nodeinit.toml"] = "grace = 'soon'\nwrokers = 3\n";
  const Invocation invocation =
      invoke({"--workers", "0", "node", "a.js"},
             {{"NODEINIT_STOP_SIGNAL", "SIGFOO"}, {"NODEINIT_RADY", "x"}}, files);
  CHECK(invocation.does == Does::leave);
  CHECK(invocation.exit_code == 78);
  CHECK(invocation.complaints ==
        "nodeinit: NODEINIT_RADY: unknown variable, ignored; did you mean NODEINIT_READY?\n"
        "nodeinit: /etc/nodeinit.toml:2:1: unknown key \"wrokers\"; did you mean workers?\n"
        "nodeinit: --workers: cannot use \"0\" for workers; allowed: auto, max, N (1 to 1024), -K, "
        "P%, N..M or N..auto\n"
        "nodeinit: /etc/nodeinit.toml:1:9: cannot use \"soon\" for grace; allowed: a time such as "
        "250ms, 5s, 2m "
        "or 24h\n"
        "nodeinit: NODEINIT_STOP_SIGNAL: cannot use \"SIGFOO\" for stop_signal; allowed: auto or a "
        "signal "
        "such as "
        "SIGTERM, INT or 15\n"
        "nodeinit: nothing was started: 4 problems\n");
}

TEST_CASE("the configuration file: --config, NODEINIT_CONFIG, or the usual one if it is there") {
  FakeFiles files;
  files.files["/etc/nodeinit.toml"] = "command = 'a'";
  files.files["/v.toml"] = "command = 'b'";
  files.files["/o.toml"] = "command = 'c'";
  const auto command = [&](const Words& words, const Environment& environment) {
    return invoke(words, environment, files).config.programs.at(0).command.at(0);
  };
  CHECK(command({}, {}) == "a");
  CHECK(command({}, {{"NODEINIT_CONFIG", "/v.toml"}}) == "b");
  CHECK(command({"--config", "/o.toml"}, {{"NODEINIT_CONFIG", "/v.toml"}}) == "c");
  CHECK(command({"z"}, {{"NODEINIT_CONFIG", ""}}) == "z");
}

TEST_CASE("a configuration file that cannot be read keeps the container from starting") {
  FakeFiles files;
  files.failures = {{"/etc/nodeinit.toml", EACCES}, {"/dir", EISDIR}, {"/big", EFBIG}};
  const Invocation usual = invoke({"node", "a.js"}, {}, files);
  CHECK(usual.exit_code == 78);
  CHECK(usual.complaints ==
        "nodeinit: /etc/nodeinit.toml: cannot open /etc/nodeinit.toml: Permission denied\n"
        "nodeinit: nothing was started: 1 problem\n");
  CHECK(invoke({"--config", "/dir", "x"}, {}, files).complaints ==
        "nodeinit: --config: cannot open /dir: Is a directory\n"
        "nodeinit: nothing was started: 1 problem\n");
  CHECK(invoke({"x"}, {{"NODEINIT_CONFIG", "/none"}}, files).complaints ==
        "nodeinit: NODEINIT_CONFIG: cannot open /none: No such file or directory\n"
        "nodeinit: nothing was started: 1 problem\n");
  CHECK(invoke({"--config", "/big", "x"}, {}, files).complaints ==
        "nodeinit: --config: cannot open /big: File too large\n"
        "nodeinit: nothing was started: 1 problem\n");
}

TEST_CASE("the shown configuration names each origin, hides secrets, and reads back as the same") {
  FakeFiles files;
  files.files["/etc/nodeinit.toml"] =
      "max_memory = '80%'\ncommand = ['node', 'a \"b\".js']\n[env]\nTOKEN = 'hunter2'\n";
  const Environment environment = {{"NODEINIT_WORKERS", "2"},
                                   {"DATABASE_URL", "postgres://u:hunter2@h"}};
  const Invocation shown = invoke({"--print-config", "--grace", "5s"}, environment, files);
  CHECK(shown.exit_code == 0);
  const auto has = [&](std::string_view text) {
    return shown.output.find(text) != std::string::npos;
  };
  CHECK(has("workers = \"2\"                       # NODEINIT_WORKERS\n"));
  CHECK(has("grace = \"5s\"                        # --grace\n"));
  CHECK(has("max_memory = \"80%\"                  # /etc/nodeinit.toml:1:14\n"));
  CHECK(has("# env: TOKEN (value not shown)\n"));
  CHECK(has("surge = \"1\"                         # default\n"));
  CHECK_FALSE(has("hunter2"));

  files.files["/again.toml"] = shown.output;
  const Invocation again = invoke({"--config", "/again.toml"}, {}, files);
  REQUIRE(again.does == Does::run);
  CHECK(again.config.grace == 5s);
  CHECK(again.config.programs.at(0).command == Words{"node", "a \"b\".js"});
  CHECK(again.config.programs.at(0).max_memory == MemoryAmount{Bytes{}, 80});
}

TEST_CASE("help and version win over everything else and every setting is in the help") {
  const Invocation help = invoke({"--check", "--help", "--workers", "0"});
  CHECK(help.exit_code == 0);
  for (const Setting& setting : settings()) {
    INFO(setting.key);
    CHECK((help.output.find(option_name(setting) + " ") != std::string::npos) ==
          (setting.scope != Setting::Scope::program_only));
  }
  CHECK(invoke({"--version"}).output == "nodeinit " NODEINIT_VERSION "\n");
}

TEST_CASE("any name and any number of words, even none, are survived") {
  CHECK(read_invocation({}, {}, FakeFiles()).exit_code == 64);
  const Words pm2 = {"/usr/local/bin/pm2-runtime", "--help"};
  CHECK(read_command_line(pm2).verb == CommandLine::Verb::pm2_runtime);
}

TEST_CASE(
    "under the name pm2-runtime its words are understood, and remarks do not stop the start") {
  const Words argv = {"pm2-runtime", "start", "app.js", "-i", "2",     "--json",
                      "--web",       "--",    "--port", "80", "--kill"};
  const Invocation invocation = read_invocation(argv, {}, FakeFiles());
  REQUIRE(invocation.does == Does::run);
  const ProgramConfig& program = invocation.config.programs.at(0);
  CHECK(program.command == Words{"node", "app.js", "--port", "80", "--kill"});
  CHECK(program.workers.amount == 2);
  CHECK(program.stop_signal == signals::interrupt);
  CHECK(invocation.config.log == LogMode::json);
  CHECK(invocation.complaints ==
        "nodeinit: --web: not needed: set NODEINIT_HTTP=:9615 for /status and /metrics\n");
}

TEST_CASE("what the command line says of an application is stronger than the ecosystem file") {
  FakeFiles files;
  files.files["eco.config.js"] =
      R"({"apps":[{"name":"a","script":"a.js","instances":4},{"name":"b","script":"b.js"}]})";
  const Words both = {"pm2-runtime", "eco.config.js", "-i", "1"};
  const Invocation invocation = read_invocation(both, {{"NODEINIT_GRACE", "3s"}}, files);
  REQUIRE(invocation.config.programs.size() == 2);
  CHECK(invocation.config.programs[0].workers.amount == 1);
  CHECK(invocation.config.grace == 3s);
  CHECK(invocation.evaluated_path == "eco.config.js");
  const Words only = {"pm2-runtime", "eco.config.js", "--only", "b"};
  CHECK(read_invocation(only, {}, files).config.programs.at(0).name == "b");
  const Words none = {"pm2-runtime", "eco.config.js", "--only", "c"};
  CHECK(read_invocation(none, {}, files).exit_code == 78);
  files.files["eco.yml"] = "apps:\n  - script: a.js\n    instances: 3\n";
  const Words yaml = {"pm2-runtime", "eco.yml"};
  CHECK(read_invocation(yaml, {}, files).config.programs.at(0).workers.amount == 3);
}

namespace {

using Texts = std::vector<std::string>;

// What may be written for a setting; the first is its default. Any two go together.
Texts values_of(const Setting& setting) {
  static const std::map<std::string_view, Texts> kValues = {
      {"workers", {"auto", "max", "3", "-1", "150%", "1..auto", "2..6"}},
      {"max_workers", {"none", "7"}},
      {"ready_timeout", {"90s", "1500ms", "365d"}},
      {"ready_workers", {"1", "50%"}},
      {"grace", {"9s", "10.5s", "2m"}},
      {"stop_delay", {"0s", "250ms", "2s"}},
      {"stop_signal", {"auto", "INT", "RTMIN+3", "15"}},
      {"restart_backoff", {"100ms..30s", "0s..0s", "1s", "7us..1h"}},
      {"restart_limit", {"10/60s", "3/90s"}},
      {"stop_codes", {"none", "0,78"}},
      {"max_memory", {"none", "300M", "90%", "1048577", "2GiB"}},
      {"max_age", {"none", "24h", "400d", "90m", "61s"}},
      {"max_requests", {"none", "1", "10000±5%", "7+-100%"}},
      {"max_loop_delay", {"none", "500ms", "10ms/90s"}},
      {"hang_timeout", {"0s", "1.001s"}},
      {"hang_signal", {"SIGKILL", "abrt"}},
      {"spares", {"0", "2"}},
      {"surge", {"1", "0"}},
      {"http", {"off", ":9464", "[::1]:80"}},
      {"control", {"auto", "off", "@it", "/run/it"}},
      {"signals", {"none", "TERM=INT,HUP=forward,USR2=quick-stop"}},
      {"user", {"none", "1000:1000", "node"}},
      {"termination_log", {"auto", "off", "/tmp/\"why\""}},
      {"pre_start", {"none", "node 'migrate it.js'", "a 'b\\c' '\"' ''"}},
      {"post_stop", {"none", "'none'", "/bin/after"}},
      {"env_file", {"none", "/run/env"}},
      {"slot_variables", {"none", "pm_id,ID"}},
      {"directory", {"none", "/a b\\c", "/ä"}},
      {"share", {"none", "30%"}},
      {"memory", {"none", "70%", "400M"}},
  };
  if (const auto found = kValues.find(setting.key); found != kValues.end()) {
    return found->second;
  }
  Texts words;  // "auto|off": each of them
  for (const auto word : split(setting.value, '|')) {
    words.emplace_back(word == "LEVEL" ? "debug" : word == "TIME" ? "90s" : word);
  }
  return words;
}

std::string random_settings(Random& random, bool top) {
  std::string text;
  for (const Setting& setting : settings()) {
    const bool fits = top ? setting.scope != Setting::Scope::program_only
                          : setting.scope != Setting::Scope::container;
    const Texts values = values_of(setting);
    if (fits && (setting.key == "grace" || random.chance(2))) {
      text += std::string(setting.key) + " = " + toml_string(values[random.below(values.size())]) +
              "\n";
    }
  }
  return text;
}

std::string random_command(Random& random) {
  const Texts kWords = {"node", "a \"b\".js", "--x=\\", "", "line\nbreak", "\x01\x7f", "grün"};
  std::string text = "command = [\"node\"";
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    text += ", " + toml_string(kWords[random.below(kWords.size())]);
  }
  return text + "]\n";
}

std::string random_file(Random& random) {
  const std::uint64_t programs = random.below(4);
  std::string text = programs == 0 ? "name = \"it\"\n" + random_command(random) : "";
  text += random_settings(random, true);
  for (std::uint64_t i = 0; i < programs; ++i) {
    text += "[[program]]\nname = \"p" + std::to_string(i) + "\"\n" + random_command(random) +
            random_settings(random, false);
  }
  return text;
}

// Everything that a configuration says, as text.
std::string told(const Config& config) {
  std::string text;
  const auto tell = [&](const ProgramConfig& program) {
    text += program.name + ":";
    for (const std::string& word : program.command) {
      text += " [" + word + "]";
    }
    for (const Setting& setting : settings()) {
      text += "\n" + std::string(setting.key) + "=" + setting.show(config, program);
    }
    text += "\n";
  };
  tell(config.top_level);
  std::ranges::for_each(config.programs, tell);
  return text;
}

}  // namespace

TEST_CASE("what is shown of a random configuration reads back as the same configuration") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    FakeFiles files;
    files.files["/run/env"] = "";
    files.files["/1.toml"] = random_file(random);
    // Somewhere else: what the platform decides must have been written down as well.
    const Environment kubernetes = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}};
    const Invocation first = invoke({"--config", "/1.toml"}, kubernetes, files);
    INFO(files.files["/1.toml"] << first.complaints);
    REQUIRE(first.does == Does::run);
    files.files["/2.toml"] =
        invoke({"--config", "/1.toml", "--print-config"}, kubernetes, files).output;
    const Invocation second = invoke({"--config", "/2.toml"}, {}, files);
    INFO(files.files["/2.toml"] << second.complaints);
    REQUIRE(second.does == Does::run);
    REQUIRE(told(second.config) == told(first.config));
  }
}

TEST_CASE("a one-shot job stays one when its printed configuration is its file") {
  FakeFiles files;
  files.files["/job.toml"] = invoke({"--print-config", "--", "node", "job.js"}).output;
  const Invocation again = invoke({"--config", "/job.toml"}, {}, files);
  REQUIRE(again.does == Does::run);
  CHECK(again.config.programs.at(0).restart == RestartMode::automatic);
}
