#include "core/settings/command_line.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace ni {
namespace {

using Verb = CommandLine::Verb;

struct Flag {
  std::string_view name;
  std::string_view value;  // what stands for its value in --help; empty: it has none
  std::string_view help;
};

constexpr std::array kFlags = {
    Flag{"--explain", "", "print the plan, every number with its reason and source, and exit"},
    Flag{"--json", "", "with --explain: for machines"},
    Flag{"--root", "DIR", "with --explain: read /proc and the limit files below DIR"},
    Flag{"--print-config", "",
         "print the effective configuration with the origin of each value, and exit"},
    Flag{"--check", "", "validate the configuration and exit"},
    Flag{"--config", "FILE", "TOML file to read in place of /etc/nodeinit.toml"},
    Flag{"--version", "", "print the version and exit"},
    Flag{"--help", "", "print this text and exit"},
};

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> words) : words_(words) {}

  CommandLine parse() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_];
      if (word == "--") {
        ++next_;
        break;
      }
      if (word.size() < 2 || word.front() != '-') {
        break;
      }
      ++next_;
      take(word);
    }
    line_.command.assign(words_.begin() + static_cast<std::ptrdiff_t>(next_), words_.end());
    if (line_.json && line_.verb != Verb::explain && line_.verb != Verb::help) {
      problem("--json", "is only for --explain");
    }
    return std::move(line_);
  }

 private:
  void problem(std::string_view where, std::string what) {
    line_.problems.push_back({printable(where, 80), std::move(what)});
  }

  void take(std::string_view word) {
    const auto equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const auto* const flag = std::ranges::find(kFlags, name, &Flag::name);
    const Setting* const setting =
        name.starts_with("--") ? find_setting(as_key(name.substr(2))) : nullptr;
    const bool is_setting = setting != nullptr && option_name(*setting) == name &&
                            setting->scope != Setting::Scope::program_only;
    if (flag == kFlags.end() && !is_setting && name != "-h" && name != "-V") {
      unknown(name);
      return;
    }
    if (flag != kFlags.end() ? flag->value.empty() : !is_setting) {
      if (equals != std::string_view::npos) {
        problem(name, "has no value");
        return;
      }
      take_flag(name);
      return;
    }
    if (equals == std::string_view::npos && next_ == words_.size()) {
      problem(name, "needs a value" + (is_setting ? ": " + std::string(setting->allowed) : ""));
      return;
    }
    std::string value(equals == std::string_view::npos ? std::string_view(words_[next_++])
                                                       : word.substr(equals + 1));
    if (is_setting) {
      line_.settings.push_back(
          {setting, std::move(value), {Origin::From::option, std::string(name)}});
    } else if (value.empty()) {
      problem(name, "needs a value that is not empty");
    } else {
      (name == "--root" ? line_.root : line_.config_file) = std::move(value);
    }
  }

  void take_flag(std::string_view name) {
    if (name == "--json") {
      line_.json = true;
      return;
    }
    const Verb verb = name == "--explain"                   ? Verb::explain
                      : name == "--print-config"            ? Verb::print_config
                      : name == "--check"                   ? Verb::check
                      : name == "--version" || name == "-V" ? Verb::version
                                                            : Verb::help;
    // The one of least effect wins: whoever adds --help or --version to a line wants to read.
    line_.verb = std::max(line_.verb, verb);
  }

  void unknown(std::string_view name) {
    std::vector<std::string> names;
    for (const Flag& flag : kFlags) {
      names.emplace_back(flag.name);
    }
    for (const Setting& setting : settings()) {
      if (setting.scope != Setting::Scope::program_only) {
        names.push_back(option_name(setting));
      }
    }
    const auto nearest =
        did_you_mean(name, std::vector<std::string_view>(names.begin(), names.end()));
    problem(name,
            "unknown option" + (nearest ? "; did you mean " + std::string(*nearest) + "?" : ""));
  }

  std::span<const std::string> words_;
  std::size_t next_ = 0;
  CommandLine line_;
};

// One entry of --help: the name, then its text in the second column, folded.
void add_entry(std::string& text, const std::string& name, std::string_view help) {
  constexpr std::size_t kColumn = 28;
  constexpr std::size_t kWidth = 100;
  std::string line = "  " + name;
  if (line.size() + 2 > kColumn) {
    text += line + "\n";
    line.clear();
  }
  line.append(kColumn - line.size(), ' ');
  bool fresh = true;
  for (const std::string_view word : split_words(help)) {
    if (!fresh && line.size() + 1 + word.size() > kWidth) {
      text += line + "\n";
      line.assign(kColumn, ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + std::string(word);
    fresh = false;
  }
  text += line + "\n";
}

}  // namespace

CommandLine read_command_line(std::span<const std::string> argv) {
  CommandLine line;
  const std::span<const std::string> words = argv.empty() ? argv : argv.subspan(1);
  const std::string_view name = argv.empty() ? std::string_view() : base_name(argv.front());
  if (name == "pm2-runtime" || name == "pm2-docker") {
    line.verb = Verb::pm2_runtime;
    line.command.assign(words.begin(), words.end());
    return line;
  }
  if (!words.empty() && words.front() == "ctl") {
    line.verb = Verb::ctl;
    line.command.assign(words.begin() + 1, words.end());
    return line;
  }
  if (words.size() == 1 && words.front() == "help") {  // a command of that name: nodeinit -- help
    line.verb = Verb::help;
    return line;
  }
  return Parser(words).parse();
}

std::string help_text() {
  std::string text =
      "nodeinit " NODEINIT_VERSION
      ": PID 1 for Node.js containers\n\n"
      "  nodeinit [options] [--] command [arg...]   run the command under supervision\n"
      "  nodeinit ctl VERB [args]                   talk to the running nodeinit; `nodeinit ctl "
      "help` lists the verbs\n"
      "\nOptions\n";
  for (const Flag& flag : kFlags) {
    add_entry(text,
              std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value)),
              flag.help);
  }
  text +=
      "\nSettings: each is an option, a variable (--ready-timeout is NODEINIT_READY_TIMEOUT) and a "
      "key of the TOML\n"
      "file (ready_timeout). An option is stronger than a variable, a variable than the file.\n";
  for (const Setting& setting : settings()) {
    if (setting.scope != Setting::Scope::program_only) {
      add_entry(text, option_name(setting) + " " + std::string(setting.value),
                std::string(setting.help) + " [" + std::string(setting.fallback) + "]");
    }
  }
  return text;
}

}  // namespace ni
