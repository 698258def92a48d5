#include "core/pm2.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "core/command_text.h"

namespace ni {
namespace {

using wire::Json;

// Options that a container has no use for, each with what to do in its place. A value of false or
// null says nothing and gets no remark.
struct Dropped {
  std::string_view key;
  std::string_view reason;
};
constexpr std::string_view kLogs =
    "workers write to stdout and stderr, where the platform collects";
constexpr std::string_view kTimes = "the platform stamps each line; log = \"json\" adds the time";
constexpr std::string_view kWatch = "an image does not change; a new one is rolled out";
constexpr std::string_view kHost = "belongs to a host that is deployed to, not to a container";
constexpr std::string_view kAgent = "no code is injected into workers; see the setting http";
constexpr std::array kDropped = {
    Dropped{"out_file", kLogs},
    Dropped{"error_file", kLogs},
    Dropped{"err_file", kLogs},
    Dropped{"output", kLogs},
    Dropped{"error", kLogs},
    Dropped{"log", kLogs},
    Dropped{"log_file", kLogs},
    Dropped{"out", kLogs},
    Dropped{"pid_file", "no file is written"},
    Dropped{"pid", "no file is written"},
    Dropped{"merge_logs", kLogs},
    Dropped{"combine_logs", kLogs},
    Dropped{"disable_logs", kLogs},
    Dropped{"log_date_format", kTimes},
    Dropped{"time", kTimes},
    Dropped{"watch", kWatch},
    Dropped{"ignore_watch", kWatch},
    Dropped{"watch_delay", kWatch},
    Dropped{"watch_options", kWatch},
    Dropped{"cron_restart", "max_age replaces workers one by one; a clock belongs to a CronJob"},
    Dropped{"cron", "max_age replaces workers one by one; a clock belongs to a CronJob"},
    Dropped{"min_uptime", "restart_limit counts deaths while no worker is ready"},
    Dropped{"shutdown_with_message", "workers are disconnected and get stop_signal"},
    Dropped{"kill_retry_time", "SIGKILL is sent once the grace is over"},
    Dropped{"treekill", "the last signal goes to a worker's whole process group"},
    Dropped{"instance_var", "workers find NODE_APP_INSTANCE and NODEINIT_SLOT"},
    Dropped{"increment_var", "add NODEINIT_SLOT to it in the program"},
    Dropped{"source_map_support", "set NODE_OPTIONS=--enable-source-maps if wanted"},
    Dropped{"disable_source_map_support", "nothing is injected"},
    Dropped{"namespace", "name the container"},
    Dropped{"version", "name the image"},
    Dropped{"append_env_to_name", "name the container"},
    Dropped{"name_prefix", "name the container"},
    Dropped{"filter_env", "set only what is wanted"},
    Dropped{"vizion", kHost},
    Dropped{"vizion_running", kHost},
    Dropped{"post_update", kHost},
    Dropped{"force", kHost},
    Dropped{"write", kHost},
    Dropped{"install_url", kHost},
    Dropped{"execute_command", kHost},
    Dropped{"username", kHost},
    Dropped{"windowsHide", kHost},
    Dropped{"pmx", kAgent},
    Dropped{"automation", kAgent},
    Dropped{"trace", kAgent},
    Dropped{"v8", kAgent},
    Dropped{"io", kAgent},
    Dropped{"deep_monitoring", kAgent},
    Dropped{"event_loop_inspector", kAgent},
    Dropped{"autostart", "what the container runs is started"},
};
// Mapped below.
constexpr std::array<std::string_view, 35> kMapped = {"name",
                                                      "script",
                                                      "exec",
                                                      "cmd",
                                                      "command",
                                                      "args",
                                                      "cwd",
                                                      "interpreter",
                                                      "exec_interpreter",
                                                      "node_args",
                                                      "interpreter_args",
                                                      "interpreterArgs",
                                                      "instances",
                                                      "exec_mode",
                                                      "env",
                                                      "autorestart",
                                                      "max_memory_restart",
                                                      "stop_exit_codes",
                                                      "kill_timeout",
                                                      "kill_signal",
                                                      "wait_ready",
                                                      "listen_timeout",
                                                      "restart_delay",
                                                      "exp_backoff_restart_delay",
                                                      "max_restarts",
                                                      "uid",
                                                      "gid",
                                                      "user",
                                                      "port",
                                                      "log_type",
                                                      "nodeArgs",
                                                      "instance",
                                                      "env_file",
                                                      "max_restart",
                                                      "execMode"};

bool says_nothing(const Json& value) {
  return !value || value.is_null() || value.boolean() == false || value.equals("");
}

// Strings and whole numbers as text.
std::optional<std::string> text_of(const Json& value) {
  if (const auto number = value.integer()) {
    return std::to_string(*number);
  }
  return value.string();
}

// PM2 takes milliseconds, or a text with a unit ("5s", "1h").
std::optional<std::string> time_of(const Json& value) {
  if (const auto number = value.integer()) {
    return *number >= 0 ? std::optional(std::to_string(*number) + "ms") : std::nullopt;
  }
  const auto text = value.string();
  if (text && parse_number<std::uint64_t>(*text)) {
    return *text + "ms";
  }
  return text;
}

// A string of words, or an array of them.
std::optional<std::vector<std::string>> words_of(const Json& value) {
  if (!value || value.is_null()) {
    return std::vector<std::string>{};
  }
  if (!value.is_array()) {
    const auto text = text_of(value);
    return text ? split_command(*text) : std::nullopt;
  }
  std::vector<std::string> words;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto text = text_of(value.at(i));
    if (!text) {
      return std::nullopt;
    }
    words.push_back(*text);
  }
  return words;
}

class Application {
 public:
  Application(const Json& app, const Pm2Choice& choice, std::string where,
              Pm2Translation& translation)
      : app_(app), choice_(choice), where_(std::move(where)), out_(translation) {}

  WrittenProgram translate() {
    program_.where = where_;
    program_.name = text_of(app_.at("name")).value_or("");
    check_keys();
    map_command();
    map_count();
    map_environment();
    map_times();
    map_restart();
    map_rest();
    return std::move(program_);
  }

 private:
  void problem(std::string_view key, std::string what) {
    out_.file.problems.push_back({where_ + ": " + std::string(key), std::move(what)});
  }
  void remark(std::string_view key, std::string_view what) {
    out_.remarks.push_back({where_ + ": " + std::string(key), std::string(what)});
  }
  void set(std::string_view key, std::string text, std::string_view from) {
    const Setting* const setting = find_setting(key);
    auto& settings =
        setting->scope == Setting::Scope::container ? out_.file.top.settings : program_.settings;
    settings.push_back(
        {setting, std::move(text), {Origin::From::file, where_ + ": " + std::string(from)}});
  }

  void check_keys() {
    std::vector<std::string_view> known(kMapped.begin(), kMapped.end());
    for (const Dropped& dropped : kDropped) {
      known.push_back(dropped.key);
    }
    for (const auto& [key, value] : app_.members()) {
      const auto* const dropped = std::ranges::find(kDropped, key, &Dropped::key);
      if (dropped != kDropped.end()) {
        if (!says_nothing(value)) {
          remark(key, "not needed: " + std::string(dropped->reason));
        }
      } else if (!key.starts_with("env_") && std::ranges::find(known, key) == known.end()) {
        const auto nearest = did_you_mean(key, known);
        problem(printable(key, 60),
                "unknown option, which PM2 ignores" +
                    (nearest ? "; did you mean " + std::string(*nearest) + "?" : std::string()));
      }
    }
  }

  // The first of several names for one thing.
  Json first(std::initializer_list<std::string_view> keys) const {
    for (const std::string_view key : keys) {
      if (const Json value = app_.at(key); value && !value.is_null()) {
        return value;
      }
    }
    return {};
  }

  void map_command() {
    const auto script = first({"script", "exec", "cmd", "command"}).string();
    if (!script || script->empty()) {
      problem("script", "is needed");
      return;
    }
    auto words = script->find(' ') == std::string::npos
                     ? std::optional(std::vector<std::string>{*script})
                     : split_command(*script);
    // PM2 gives a script with a blank to `bash -c`.
    if (!words || words->empty() || script->find_first_of("|&;<>$`*?~\n") != std::string::npos) {
      problem("script",
              "is a line for a shell, and there is none; what has to run before goes "
              "into pre_start, the rest are words of one command");
      return;
    }
    const auto args = words_of(app_.at("args"));
    const auto node_args =
        words_of(first({"node_args", "nodeArgs", "interpreter_args", "interpreterArgs"}));
    if (!args || !node_args) {
      problem(args ? "node_args" : "args", "must be a text or an array of texts");
      return;
    }
    auto& command = program_.command;
    const std::string interpreter = first({"interpreter", "exec_interpreter"})
                                        .string()
                                        .value_or(default_interpreter(words->front()));
    if (interpreter != "none") {
      command = split_command(interpreter).value_or(std::vector<std::string>{interpreter});
      command.insert(command.end(), node_args->begin(), node_args->end());
    }
    command.insert(command.end(), words->begin(), words->end());
    command.insert(command.end(), args->begin(), args->end());
    if (const auto directory = app_.at("cwd").string(); directory && !directory->empty()) {
      set("directory", *directory, "cwd");
    }
  }

  // pm2 lib/API/interpreter.json: by the extension; a name without one is looked up in PATH.
  static std::string default_interpreter(std::string_view script) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kByExtension = {
        {{".sh", "bash"},
         {".py", "python3"},
         {".rb", "ruby"},
         {".php", "php"},
         {".pl", "perl"},
         {".ts", "bun"}}};
    const std::string_view name = script.substr(script.rfind('/') + 1);
    for (const auto& [extension, interpreter] : kByExtension) {
      if (name.ends_with(extension)) {
        return std::string(interpreter);
      }
    }
    const bool is_program =
        script.find('/') == std::string_view::npos && name.find('.') == std::string_view::npos;
    return is_program ? "none" : "node";
  }

  void map_count() {
    const Json instances = first({"instances", "instance"});
    if (!instances) {
      set("workers", "1", "instances");
      return;
    }
    const auto text = text_of(instances);
    const std::string lower = to_lower(text.value_or("?"));
    // 0 and "max" are PM2's words for all CPUs.
    set("workers", lower == "0" ? "max" : lower, "instances");
    const Json mode = first({"exec_mode", "execMode"});
    if (!says_nothing(mode) && mode.string().value_or("").starts_with("fork") && lower != "1") {
      remark("exec_mode", "not needed: workers share the port in any case");
    }
  }

  void add_environment(std::string_view key) {
    const Json environment = app_.at(key);
    for (const auto& [name, value] : environment.members()) {
      auto text = text_of(value);
      if (const auto truth = value.boolean()) {
        text = *truth ? "true" : "false";
      }
      const bool named = !name.empty() && name.find('=') == std::string::npos;
      if (!named || (!text && !value.is_null())) {
        problem(key, "\"" + printable(name, 60) + "\" must have a text, a number or a boolean");
      } else if (text) {
        program_.environment.emplace_back(name, *text);
      }
    }
  }

  void map_environment() {
    add_environment("env");
    if (const auto port = text_of(app_.at("port"))) {
      program_.environment.emplace_back("PORT", *port);
    }
    if (const auto file = app_.at("env_file").string()) {
      set("env_file", *file, "env_file");
    }
    if (!choice_.environment.empty()) {
      const std::string key = "env_" + choice_.environment;
      app_.at(key) ? add_environment(key) : remark(key, "is not there, although --env names it");
    }
  }

  void map_time(std::string_view from, std::string_view key, std::string_view suffix = "") {
    const Json value = app_.at(from);
    if (says_nothing(value) || value.integer() == 0) {
      return;
    }
    const auto time = time_of(value);
    if (!time) {
      problem(from, "must be a number of milliseconds");
      return;
    }
    set(key, *time + std::string(suffix), from);
  }

  void map_times() {
    map_time("kill_timeout", "grace");
    if (app_.at("wait_ready").boolean().value_or(false)) {
      set("ready", "message", "wait_ready");
    }
    map_time("listen_timeout", "ready_timeout");
    if (app_.at("listen_timeout")) {
      remark("listen_timeout",
             "a worker that is not ready by then has failed; for PM2 it is ready");
    }
    // A fixed delay: the first and the largest are the same.
    if (const auto delay = time_of(app_.at("restart_delay"));
        delay && app_.at("restart_delay").integer() != 0) {
      set("restart_backoff", *delay + ".." + *delay, "restart_delay");
    }
    map_time("exp_backoff_restart_delay", "restart_backoff", "..15s");
  }

  void map_restart() {
    if (app_.at("autorestart").boolean() == false) {
      set("restart", "never", "autorestart");
    }
    if (const auto most = text_of(first({"max_restarts", "max_restart"}))) {
      // Deaths count while no worker is ready: PM2's 16 deaths of less than a second each.
      const bool some = *most != "0";
      some ? set("restart_limit", *most + "/60s", "max_restarts")
           : remark("max_restarts", "no limit at all: the smallest useful one is 1");
    }
    const Json codes = app_.at("stop_exit_codes");
    if (const auto list = words_of(codes); list && !list->empty()) {
      std::string text;
      for (const std::string& code : *list) {
        text += (text.empty() ? "" : ",") + code;
      }
      set("stop_codes", text, "stop_exit_codes");
    }
    if (const auto most = text_of(app_.at("max_memory_restart")); most && *most != "0") {
      set("max_memory", *most, "max_memory_restart");
    }
  }

  void map_rest() {
    // pm2 lib/God/Methods.js: SIGINT unless PM2_KILL_SIGNAL; that is what its users handle.
    set("stop_signal", app_.at("kill_signal").string().value_or("SIGINT"), "kill_signal");
    const auto user = text_of(first({"uid", "user"}));
    const auto group = text_of(app_.at("gid"));
    if (user) {
      set("user", *user + (group ? ":" + *group : ""), "uid");
    } else if (group) {
      remark("gid", "is for uid, which is not there");
    }
    if (const Json type = app_.at("log_type"); !says_nothing(type)) {
      type.equals("json") ? set("log", "json", "log_type")
                          : remark("log_type", "only json has a counterpart");
    }
  }

  const Json& app_;
  const Pm2Choice& choice_;
  std::string where_;
  Pm2Translation& out_;
  WrittenProgram program_;
};

Json applications(const Json& ecosystem) {
  if (const Json apps = ecosystem.at("apps")) {
    return apps.is_array() ? apps : Json::array({apps});
  }
  return ecosystem.is_array() ? ecosystem : Json::array({ecosystem});
}

// The grace is one for the container: the largest that any application asked for.
void keep_largest_grace(WrittenProgram& top) {
  const Written* largest = nullptr;
  for (const Written& written : top.settings) {
    const auto time = parse_duration(written.text);
    if (written.setting->key == "grace" &&
        (largest == nullptr || time > parse_duration(largest->text))) {
      largest = &written;
    }
  }
  if (largest != nullptr) {
    const Written kept = *largest;
    std::erase_if(top.settings, [](const Written& w) { return w.setting->key == "grace"; });
    top.settings.push_back(kept);
  }
}

std::string quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += std::string{'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      result += std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 0xFU];
    } else {
      result += c;
    }
  }
  return result + "\"";
}

void print_program(std::string& text, const WrittenProgram& program) {
  if (!program.name.empty()) {
    text += "name = " + quoted(program.name) + "\n";
  }
  std::string words;
  for (const std::string& word : program.command) {
    words += (words.empty() ? "" : ", ") + quoted(word);
  }
  if (!program.command.empty()) {
    text += "command = [" + words + "]\n";
  }
  for (const Written& written : program.settings) {
    text += std::string(written.setting->key) + " = " + quoted(written.text) + "\n";
  }
  std::string variables;
  for (const auto& [name, value] : program.environment) {
    variables += (variables.empty() ? "" : ", ") + quoted(name) + " = " + quoted(value);
  }
  if (!variables.empty()) {
    text += "env = { " + variables + " }\n";
  }
}

// Of variables given twice (env, env_production) the last counts; TOML allows each key once.
void merge_environment(WrittenProgram& program) {
  Environment merged;
  for (auto& variable : program.environment) {
    const auto same = std::ranges::find(merged, variable.first, &Environment::value_type::first);
    same == merged.end() ? void(merged.push_back(std::move(variable)))
                         : void(same->second = std::move(variable.second));
  }
  program.environment = std::move(merged);
}

}  // namespace

Pm2Translation translate_pm2(const Json& ecosystem, const Pm2Choice& choice,
                             const std::string& path) {
  Pm2Translation translation;
  translation.file.top.where = path;
  if (ecosystem.at("deploy")) {
    translation.remarks.push_back({path + ": deploy", "not needed: " + std::string(kHost)});
  }
  const Json apps = applications(ecosystem);
  std::vector<WrittenProgram> programs;
  for (std::size_t i = 0; i < apps.size(); ++i) {
    const Json app = apps.at(i);
    const std::string name = text_of(app.at("name")).value_or("");
    const std::string where =
        path + ": " + (name.empty() ? "apps[" + std::to_string(i) + "]" : printable(name, 60));
    if (!app.is_object()) {
      translation.file.problems.push_back({where, "is not an application"});
    } else if (choice.only.empty() || std::ranges::find(choice.only, name) != choice.only.end()) {
      programs.push_back(Application(app, choice, where, translation).translate());
      merge_environment(programs.back());
    }
  }
  keep_largest_grace(translation.file.top);
  if (programs.empty() && translation.file.problems.empty()) {
    translation.file.problems.push_back(
        {path, choice.only.empty() ? "no application in it"
                                   : "no application of the name that --only gives"});
  }
  if (programs.size() == 1) {
    auto top = std::move(translation.file.top.settings);
    translation.file.top = std::move(programs.front());
    auto& settings = translation.file.top.settings;
    settings.insert(settings.begin(), top.begin(), top.end());
  } else {
    translation.file.programs = std::move(programs);
  }
  return translation;
}

std::string without_comments(std::string_view json) {
  std::string text;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = json.substr(i);
    if (in_string && rest.starts_with('\\') && rest.size() > 1) {
      text += rest.substr(0, 2);
      ++i;
      continue;
    }
    if (!in_string && (rest.starts_with("//") || rest.starts_with("/*"))) {
      const bool line = rest[1] == '/';
      const auto end = line ? rest.find('\n') : rest.find("*/", 2);
      if (end == std::string_view::npos) {
        break;
      }
      i += line ? end - 1 : end + 1;
      text += ' ';
      continue;
    }
    in_string = rest.front() == '"' ? !in_string : in_string;
    text += rest.front();
  }
  return text;
}

std::string to_toml(const Pm2Translation& translation) {
  std::string text;
  for (const Problem& remark : translation.remarks) {
    text += "# " + to_string(remark) + "\n";
  }
  text += text.empty() ? "" : "\n";
  print_program(text, translation.file.top);
  for (const WrittenProgram& program : translation.file.programs) {
    text += "\n[[program]]\n";
    print_program(text, program);
  }
  return text;
}

}  // namespace ni
