#include "app/invocation/options.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/text.h"
#include "core/pm2/pm2_compat.h"
#include "core/settings/command_line.h"
#include "core/settings/settings_file.h"

namespace ni::app {
namespace {

using Verb = CommandLine::Verb;
using Does = Invocation::Does;

constexpr const char* kVersionLine = "nodeinit " NODEINIT_VERSION "\n";

Invocation leave(int exit_code, std::string output, std::string complaints) {
  Invocation invocation;
  invocation.exit_code = exit_code;
  invocation.output = std::move(output);
  invocation.complaints = std::move(complaints);
  return invocation;
}

std::string lines(const std::vector<Problem>& problems) {
  constexpr std::size_t kMostLines = 20;  // more than anybody reads at once
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostLines); ++i) {
    text += "nodeinit: " + to_string(problems[i]) + "\n";
  }
  if (problems.size() > kMostLines) {
    text += "nodeinit: … and " + std::to_string(problems.size() - kMostLines) + " more\n";
  }
  return text;
}

Invocation wrong_usage(const std::vector<Problem>& problems) {
  return leave(
      kExitUsage, {},
      lines(problems) + "nodeinit: nothing was started; nodeinit --help shows the options\n");
}

// Where `env_file` of the program was said; of the top level when it did not say it itself.
std::string env_file_origin(const Configured& configured, std::size_t program) {
  const auto said_in = [](const std::vector<Chosen>& rows) {
    const auto row = std::ranges::find_if(
        rows, [](const Chosen& each) { return each.setting->key == "env_file"; });
    return row == rows.end() ? std::string() : row->origin.where;
  };
  const std::string own =
      program < configured.programs.size() ? said_in(configured.programs[program]) : "";
  return own.empty() ? said_in(configured.top) : own;
}

// Adds what the programs' environment files say to what the configuration itself says, which is
// stronger. `unreadable` gets what cannot be read, `problems` what is written wrongly there.
void add_environment_files(Configured& configured, const FileReader& files,
                           std::vector<Problem>& unreadable, std::vector<Problem>& problems) {
  std::map<std::string, Environment> known;
  const auto add = [&](ProgramConfig& program, const std::string& origin) {
    if (!program.environment_file) {
      return;
    }
    const std::string& path = *program.environment_file;
    const auto [entry, is_new] = known.try_emplace(path);
    if (is_new) {
      if (const auto text = files.read(path)) {
        entry->second = read_environment_file(*text, path, problems);
      } else {
        unreadable.push_back({origin, to_string(text.error())});
      }
    }
    for (const auto& [name, value] : entry->second) {
      if (!find_variable(program.environment, name)) {
        program.environment.emplace_back(name, value);
      }
    }
  };
  add(configured.config.top_level, env_file_origin(configured, configured.programs.size()));
  for (std::size_t i = 0; i < configured.config.programs.size(); ++i) {
    add(configured.config.programs[i], env_file_origin(configured, i));
  }
}

Invocation wrong_configuration(const std::string& warnings, const std::vector<Problem>& problems) {
  const std::string count = std::to_string(problems.size());
  return leave(kExitConfiguration, {},
               warnings + lines(problems) + "nodeinit: nothing was started: " + count +
                   (problems.size() == 1 ? " problem\n" : " problems\n"));
}

// The file named by --config or NODEINIT_CONFIG, which must be there, or the usual one, which need
// not.
WrittenFile read_config_file(const CommandLine& line, const Environment& environment,
                             const FileReader& files, std::string& path) {
  std::string named_by = "--config";
  if (line.config_file) {
    path = *line.config_file;
  } else if (const auto variable = find_variable(environment, "NODEINIT_CONFIG");
             variable && !variable->empty()) {
    path = *variable;
    named_by = "NODEINIT_CONFIG";
  } else {
    path = kConfigFile;
    named_by.clear();
  }
  const auto text = files.read(path);
  if (text) {
    return read_settings_file(*text, path);
  }
  WrittenFile file;
  if (!named_by.empty() || (text.error().code != ENOENT && text.error().code != ENOTDIR)) {
    file.problems.push_back({named_by.empty() ? path : named_by, to_string(text.error())});
  }
  path.clear();
  return file;
}

void show_rows(std::string& text, const std::vector<Chosen>& rows, const Config& config,
               const ProgramConfig& program) {
  for (const Chosen& row : rows) {
    std::string line =
        std::string(row.setting->key) + " = " + toml_string(row.setting->show(config, program));
    line.append(line.size() < 36 ? 36 - line.size() : 1, ' ');
    text += line + "# " + printable(row.origin.where) + "\n";
  }
}

void show_command(std::string& text, const std::vector<std::string>& command) {
  std::string words;
  for (const std::string& word : command) {
    words += (words.empty() ? "" : ", ") + toml_string(word);
  }
  text += "command = [" + words + "]\n";
}

void show_environment(std::string& text, const Environment& environment) {
  for (const auto& [name, value] : environment) {
    text += "# env: " + printable(name) + " (value not shown)\n";
  }
}

}  // namespace

std::string show_configuration(const Configured& configured) {
  std::string text;
  const auto& programs = configured.config.programs;
  if (configured.programs.empty() && !programs.empty()) {
    text += "name = " + toml_string(programs.front().name) + "\n";
    show_command(text, programs.front().command);
  }
  // Not the hooks' alone: what is said for all programs has been added to each of them.
  show_environment(text, configured.config.top_level.environment);
  show_rows(text, configured.top, configured.config, configured.config.top_level);
  for (std::size_t i = 0; i < configured.programs.size() && i < programs.size(); ++i) {
    text += "\n[[program]]\nname = " + toml_string(programs[i].name) + "\n";
    show_command(text, programs[i].command);
    show_environment(text, programs[i].environment);
    show_rows(text, configured.programs[i], configured.config, programs[i]);
  }
  return text;
}

Invocation read_invocation(std::span<const std::string> argv, Environment environment,
                           const FileReader& files) {
  CommandLine line = read_command_line(argv);
  if (line.verb == Verb::help) {
    return leave(0, help_text(), {});
  }
  if (line.verb == Verb::version) {
    return leave(0, kVersionLine, {});
  }
  Pm2Start pm2;
  if (line.verb == Verb::pm2_runtime) {
    pm2 = read_pm2_command(line.command, files);
    if (pm2.verb != Pm2Start::Verb::run) {
      return leave(0, pm2.verb == Pm2Start::Verb::help ? pm2_help_text() : kVersionLine, {});
    }
    line.problems = pm2.usage;
    line.command.clear();
  }
  if (!line.problems.empty()) {
    return wrong_usage(line.problems);
  }
  Invocation invocation;
  invocation.environment = std::move(environment);
  invocation.argv.assign(argv.begin(), argv.end());
  invocation.words = line.command;
  WrittenFile file;
  if (line.verb == Verb::pm2_runtime) {
    file = std::move(pm2.translation.file);
    invocation.complaints = lines(pm2.translation.remarks);
    invocation.evaluated_path = std::move(pm2.evaluated_path);
    invocation.evaluated = std::move(pm2.evaluated);
  } else {
    file = read_config_file(line, invocation.environment, files, invocation.config_path);
  }
  if (line.verb == Verb::ctl) {
    // Only where the control socket is: what is wrong otherwise is not ctl's business.
    invocation.does = Does::ctl;
    invocation.config = configure({}, invocation.environment, file, {}).config;
    return invocation;
  }
  Configured configured = configure(line.settings, invocation.environment, file, line.command);
  invocation.complaints += lines(configured.warnings);
  if (line.verb == Verb::print_config && configured.problems.empty()) {
    return leave(0, show_configuration(configured), invocation.complaints);
  }
  // A file of secrets may be there only in the running container: --check and --explain go on.
  std::vector<Problem> unreadable;
  add_environment_files(configured, files, unreadable, configured.problems);
  if (line.verb == Verb::check || line.verb == Verb::explain) {
    invocation.complaints += lines(unreadable);
  } else {
    configured.problems.insert(configured.problems.end(), unreadable.begin(), unreadable.end());
  }
  if (!configured.problems.empty()) {
    return wrong_configuration(invocation.complaints, configured.problems);
  }
  if (line.verb == Verb::check) {
    return leave(0, "nodeinit: the configuration is in order\n", invocation.complaints);
  }
  if (line.verb != Verb::explain && configured.config.programs.empty()) {
    return wrong_usage({{"command line", "no command to run, such as: nodeinit node server.js"}});
  }
  invocation.does = line.verb == Verb::explain ? Does::explain : Does::run;
  invocation.json = line.json;
  invocation.root = line.root.value_or("");
  invocation.config = std::move(configured.config);
  if (line.verb == Verb::explain && invocation.config.programs.empty()) {
    invocation.config.programs.push_back(invocation.config.top_level);
  }
  return invocation;
}

std::vector<std::string> words_of(int argc, const char* const* argv) {
  return {argv, argv + argc};
}

Environment environment_of_process() {
  std::size_t count = 0;
  while (environ != nullptr && environ[count] != nullptr) {
    ++count;
  }
  Environment environment;
  environment.reserve(count);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    // A leading = belongs to the name, as some shells write it; a string without = is no variable,
    // environ(7).
    if (const auto equals = text.find('=', 1); equals != std::string_view::npos) {
      environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

}  // namespace ni::app
