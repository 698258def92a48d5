#include "core/pm2/pm2.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "core/pm2/pm2_keys.h"
#include "core/settings/command_text.h"

namespace ni {
namespace {

using wire::Json;

bool says_nothing(const Json& value) {
  return !value || value.is_null() || value.boolean() == false || value.equals("");
}

bool has_zero(const std::string& text) {
  return text.find('\0') != std::string::npos;
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
    if (program_.name.size() > 64 || printable(program_.name) != program_.name) {
      problem("name", "must be a text of at most 64 visible characters");
    }
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
    if (key != "grace") {  // of which the largest is kept at the end
      std::erase_if(settings, [setting](const Written& w) { return w.setting == setting; });
    }
    settings.push_back(
        {setting, std::move(text), {Origin::From::file, where_ + ": " + std::string(from)}});
  }

  void check_keys() {
    const auto mapped = pm2_mapped_keys();
    std::vector<std::string_view> known(mapped.begin(), mapped.end());
    for (const Pm2Dropped& dropped : pm2_dropped_keys()) {
      known.push_back(dropped.key);
    }
    for (const auto& [key, value] : app_.members()) {
      const auto all = pm2_dropped_keys();
      const auto dropped = std::ranges::find(all, key, &Pm2Dropped::key);
      if (dropped != all.end()) {
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
    if (command.front().empty() || std::ranges::any_of(command, has_zero)) {
      problem("script", "has a word that no command can have");
    }
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
      if (!text && value && !value.is_null()) {
        text = value.text();  // as PM2: a number with a fraction, an object as its JSON
      }
      const bool named = !name.empty() && name.find('=') == std::string::npos;
      if (!named || has_zero(name) || (text ? has_zero(*text) : !value.is_null())) {
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
    // pm_id is PM2's own number of a process; counted per program here.
    const std::string number = app_.at("instance_var").string().value_or("NODE_APP_INSTANCE");
    set("slot_variables", number == "NODE_APP_INSTANCE" ? "pm_id" : "pm_id," + number,
        "instance_var");
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
    // PM2's largest delay is 15 s; a first one above it stays as it is.
    const bool above = !suffix.empty() && parse_duration(*time) > 15s;
    set(key, *time + (above ? ".." + *time : std::string(suffix)), from);
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
      const bool many = parse_number<std::uint64_t>(*most).value_or(0) > 1000;
      some ? set("restart_limit", (many ? std::string("1000") : *most) + "/60s", "max_restarts")
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

// Of variables given twice (env, env_production) the last counts; TOML allows each key once.
void merge_environment(WrittenProgram& program) {
  Environment merged;
  for (auto& [name, value] : program.environment) {
    set_variable(merged, name, std::move(value));
  }
  program.environment = std::move(merged);
}

// As PM2 calls who has no name: by its script, without the folder and the extension.
std::string name_by_script(const Json& app) {
  constexpr std::array<std::string_view, 4> kKeys = {"script", "exec", "cmd", "command"};
  std::string written;
  for (const std::string_view key : kKeys) {
    if (const auto text = app.at(key).string(); text && written.empty()) {
      written = *text;
    }
  }
  std::string_view script = written;
  script = script.substr(0, script.find(' '));
  script = script.substr(script.rfind('/') + 1);
  const auto dot = script.rfind('.');
  script = dot == 0 || dot == std::string_view::npos ? script : script.substr(0, dot);
  return script.empty() || script.size() > 60 || printable(script) != script ? "app"
                                                                             : std::string(script);
}

// Among several each needs a name of its own: where that of the script is taken, with a number.
void name_the_nameless(std::vector<WrittenProgram>& programs,
                       const std::vector<std::string>& by_script) {
  const auto is_taken = [&programs](const std::string& name) {
    return std::ranges::find(programs, name, &WrittenProgram::name) != programs.end();
  };
  for (std::size_t i = 0; i < programs.size(); ++i) {
    if (!programs[i].name.empty()) {
      continue;
    }
    std::string name = by_script[i];
    for (unsigned number = 2; is_taken(name); ++number) {
      name = by_script[i] + "-" + std::to_string(number);
    }
    programs[i].name = std::move(name);
  }
}

}  // namespace

Pm2Translation translate_pm2(const Json& ecosystem, const Pm2Choice& choice,
                             const std::string& path) {
  Pm2Translation translation;
  translation.file.top.where = path;
  if (ecosystem.at("deploy")) {
    translation.remarks.push_back(
        {path + ": deploy",
         "not needed: belongs to a host that is deployed to, not to a container"});
  }
  const Json apps = applications(ecosystem);
  std::vector<WrittenProgram> programs;
  std::vector<std::string> by_script;  // names, in the same order
  for (std::size_t i = 0; i < apps.size(); ++i) {
    const Json app = apps.at(i);
    const std::string name = text_of(app.at("name")).value_or("");
    const std::string called = name.empty() ? name_by_script(app) : name;
    const std::string where =
        path + ": " + (name.empty() ? "apps[" + std::to_string(i) + "]" : printable(name, 60));
    if (!app.is_object()) {
      translation.file.problems.push_back({where, "is not an application"});
    } else if (choice.only.empty() || std::ranges::find(choice.only, called) != choice.only.end()) {
      programs.push_back(Application(app, choice, where, translation).translate());
      merge_environment(programs.back());
      by_script.push_back(called);
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
    name_the_nameless(programs, by_script);
    translation.file.programs = std::move(programs);
  }
  return translation;
}

}  // namespace ni
