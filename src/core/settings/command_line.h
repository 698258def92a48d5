#pragma once

// The words of the command line, sorted: what is to be done, which settings were given, and the
// command to run. Pure; the values of settings are judged later by configure().
//
//   nodeinit [options] [--] command [arg…]
//   nodeinit ctl VERB [args]
//
// The first word that is no option begins the command. `ctl` is reserved as the first word of all;
// `-- ctl` runs a program of that name. Under the name pm2-runtime all words are pm2-runtime's.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/settings/configure.h"

namespace ni {

struct CommandLine {
  enum class Verb : std::uint8_t {
    run,
    explain,
    print_config,
    check,
    version,
    help,
    ctl,
    pm2_runtime
  };
  Verb verb = Verb::run;
  bool json = false;                       // --explain --json
  std::optional<std::string> root;         // --root
  std::optional<std::string> config_file;  // --config
  std::vector<Written> settings;
  std::vector<std::string> command;  // what to run, or the words after ctl or pm2-runtime
  std::vector<Problem> problems;     // wrong usage: exit code 64
};

CommandLine read_command_line(std::span<const std::string> argv);

// Text of --help: usage, then every setting.
std::string help_text();

}  // namespace ni
