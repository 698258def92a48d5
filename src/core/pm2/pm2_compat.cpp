#include "core/pm2/pm2_compat.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/yaml.h"

namespace ni {
namespace {

using wire::Json;

// What is done with an option of pm2-runtime.
enum class Kind : std::uint8_t {
  sets,      // its value is the application's `key`
  disables,  // the application's `key` is false
  chooses,   // --env, --only
  json,      // log_type
  dropped    // `key` holds the reason
};

struct Option {
  std::string_view name;
  std::string_view alias;
  bool has_value;
  Kind kind;
  std::string_view key;
};

constexpr std::string_view kPlus =
    "PM2 Plus is a service of its own; see the settings http and control";
constexpr std::string_view kLogs = "workers write to stdout and stderr";
constexpr std::array kOptions = {
    Option{"--instances", "-i", true, Kind::sets, "instances"},
    Option{"--name", "-n", true, Kind::sets, "name"},
    Option{"--node-args", "", true, Kind::sets, "node_args"},
    Option{"--interpreter", "", true, Kind::sets, "interpreter"},
    Option{"--max-memory-restart", "", true, Kind::sets, "max_memory_restart"},
    Option{"--stop-exit-codes", "", true, Kind::sets, "stop_exit_codes"},
    Option{"--cron", "-c", true, Kind::sets, "cron_restart"},
    Option{"--no-autorestart", "", false, Kind::disables, "autorestart"},
    Option{"--env", "", true, Kind::chooses, "env"},
    Option{"--only", "", true, Kind::chooses, "only"},
    Option{"--json", "", false, Kind::json, ""},
    Option{"--raw", "", false, Kind::dropped, "lines come out as they are"},
    Option{"--formatted", "", false, Kind::dropped, "set NODEINIT_LOG=prefix"},
    Option{"--format", "", false, Kind::dropped, "set NODEINIT_LOG=prefix or json"},
    Option{"--no-autostart", "", false, Kind::dropped, "what the container runs is started"},
    Option{"--no-auto-exit", "", false, Kind::dropped,
           "the container ends when its program has ended for good"},
    Option{"--watch", "", false, Kind::dropped, "an image does not change"},
    Option{"--error", "", true, Kind::dropped, kLogs},
    Option{"--output", "", true, Kind::dropped, kLogs},
    Option{"--delay", "", true, Kind::dropped, "wait in pre_start, or in an init container"},
    Option{"--web", "", false, Kind::dropped, "set NODEINIT_HTTP=:9615 for /status and /metrics"},
    Option{"--secret", "", true, Kind::dropped, kPlus},
    Option{"--public", "", true, Kind::dropped, kPlus},
    Option{"--machine-name", "", true, Kind::dropped, kPlus},
    Option{"--trace", "", false, Kind::dropped, "no code is injected into workers"},
    Option{"--v8", "", false, Kind::dropped, "no code is injected into workers"},
    Option{"--deep-monitoring", "", false, Kind::dropped, "no code is injected into workers"},
};

bool is_yaml(std::string_view path) {
  return path.ends_with(".yml") || path.ends_with(".yaml");
}

// PM2 lib/Common.js isConfigFile(): by the name alone.
bool is_ecosystem(std::string_view path) {
  return path.ends_with(".json") || is_yaml(path) || path.ends_with(".config.js") ||
         path.ends_with(".config.cjs") || path.ends_with(".config.mjs");
}

Result<Json> read_ecosystem(const std::string& path, const FileReader& files, std::string& text) {
  NI_TRY(text, files.read(path));
  return is_yaml(path) ? wire::parse_yaml(text) : Json::parse(without_comments(text));
}

class Command {
 public:
  Command(std::span<const std::string> words, const FileReader& files)
      : words_(words), files_(files) {}

  Pm2Start read() {
    take_words();
    if (start_.verb != Pm2Start::Verb::run) {
      return std::move(start_);
    }
    if (target_.empty() && start_.usage.empty()) {
      start_.usage.push_back({"pm2-runtime", "needs a script or an ecosystem file"});
    }
    if (!start_.usage.empty()) {
      return std::move(start_);
    }
    std::vector<Problem> remarks = std::move(start_.translation.remarks);
    translate();
    auto& all = start_.translation.remarks;
    all.insert(all.begin(), remarks.begin(), remarks.end());
    return std::move(start_);
  }

 private:
  void take_words() {
    // `start` and a bare file are the same to pm2-runtime.
    std::size_t i = !words_.empty() && words_.front() == "start" ? 1 : 0;
    for (; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "--") {
        for (const std::string& operand : words_.subspan(i + 1)) {
          arguments_.push(operand);
        }
        return;
      }
      if (word.size() > 1 && word.front() == '-') {
        take_option(word, i);
      } else if (target_.empty()) {
        target_ = word;
      } else {
        start_.usage.push_back({printable(word, 60),
                                "one file is enough; words for the program "
                                "itself follow --"});
      }
    }
  }

  void take_option(std::string_view word, std::size_t& index) {
    const auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    if (name == "--help" || name == "-h") {
      start_.verb = Pm2Start::Verb::help;
      return;
    }
    if (name == "--version" || name == "-v" || name == "-V") {
      start_.verb = Pm2Start::Verb::version;
      return;
    }
    const auto* const option = std::ranges::find_if(kOptions, [&](const Option& candidate) {
      return candidate.name == name || (!candidate.alias.empty() && candidate.alias == name);
    });
    if (option == kOptions.end()) {
      std::vector<std::string_view> names;
      for (const Option& known : kOptions) {
        names.push_back(known.name);
      }
      const auto nearest = did_you_mean(name, names);
      start_.usage.push_back(
          {printable(name, 60),
           "unknown option" +
               (nearest ? "; did you mean " + std::string(*nearest) + "?" : std::string())});
      return;
    }
    std::string value;
    if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (option->has_value) {
      if (index + 1 == words_.size()) {
        start_.usage.push_back({std::string(name), "needs a value"});
        return;
      }
      value = words_[++index];
    }
    apply(*option, value);
  }

  void apply(const Option& option, const std::string& value) {
    switch (option.kind) {
      case Kind::sets:
        overlay_.set(option.key, value);
        break;
      case Kind::disables:
        overlay_.set(option.key, false);
        break;
      case Kind::json:
        overlay_.set("log_type", "json");
        break;
      case Kind::dropped:
        start_.translation.remarks.push_back(
            {std::string(option.name), "not needed: " + std::string(option.key)});
        break;
      case Kind::chooses:
        if (option.key == "env") {
          choice_.environment = value;
        } else {
          for (const std::string_view name : split(value, ',')) {
            choice_.only.emplace_back(trim(name));
          }
        }
        break;
    }
  }

  // What the command line says of an application is stronger than what the file says.
  Json overlaid(Json application) const {
    for (const auto& [key, value] : overlay_.members()) {
      application.set(key, value);
    }
    if (arguments_.size() > 0) {
      application.set("args", arguments_);
    }
    return application;
  }

  void translate() {
    if (!is_ecosystem(target_)) {
      Json application = overlaid(Json::object({{"script", target_}}));
      start_.translation = translate_pm2(application, choice_, "pm2-runtime");
      return;
    }
    std::string text;
    auto ecosystem = read_ecosystem(target_, files_, text);
    if (!ecosystem) {
      start_.translation.file.problems.push_back({target_, to_string(ecosystem.error())});
      return;
    }
    if (is_javascript(target_)) {
      start_.evaluated_path = target_;
      start_.evaluated = std::move(text);
    }
    const Json apps = ecosystem->at("apps") ? ecosystem->at("apps") : *ecosystem;
    Json result = Json::array();
    if (apps.is_array()) {
      for (std::size_t i = 0; i < apps.size(); ++i) {
        result.push(overlaid(apps.at(i)));
      }
    } else {
      result.push(overlaid(apps));
    }
    start_.translation = translate_pm2(result, choice_, target_);
  }

  std::span<const std::string> words_;
  const FileReader& files_;
  std::string target_;
  Json overlay_ = Json::object();
  Json arguments_ = Json::array();
  Pm2Choice choice_;
  Pm2Start start_;
};

}  // namespace

bool is_javascript(std::string_view path) {
  return path.ends_with(".js") || path.ends_with(".cjs") || path.ends_with(".mjs");
}

Pm2Start read_pm2_command(std::span<const std::string> words, const FileReader& files) {
  return Command(words, files).read();
}

Pm2Translation read_pm2_file(const std::string& path, const Pm2Choice& choice,
                             const FileReader& files) {
  std::string text;
  const auto ecosystem = read_ecosystem(path, files, text);
  if (ecosystem) {
    return translate_pm2(*ecosystem, choice, path);
  }
  Pm2Translation translation;
  translation.file.problems.push_back({path, to_string(ecosystem.error())});
  return translation;
}

std::string pm2_help_text() {
  std::string text = "nodeinit " NODEINIT_VERSION
                     " under the name pm2-runtime\n\n"
                     "  pm2-runtime [start] SCRIPT|ECOSYSTEM_FILE [options] [-- args...]\n\n";
  for (const Option& option : kOptions) {
    text +=
        "  " + std::string(option.name) +
        (option.alias.empty() ? "" : ", " + std::string(option.alias)) +
        (option.kind == Kind::dropped ? "  (not needed: " + std::string(option.key) + ")" : "") +
        "\n";
  }
  return text + "\nEvery NODEINIT_ variable works too; nodeinit --help lists them.\n";
}

}  // namespace ni
