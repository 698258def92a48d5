#pragma once

// What this start of the program is to do: the command line, the environment and the configuration
// file, judged together. main() asks once and dispatches on the answer. The only place that reads
// environ.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "base/file_reader.h"
#include "core/settings/configure.h"

namespace ni::app {

inline constexpr int kExitUsage = 64;          // EX_USAGE of sysexits.h
inline constexpr int kExitConfiguration = 78;  // EX_CONFIG
inline constexpr std::string_view kConfigFile = "/etc/nodeinit.toml";

struct Invocation {
  enum class Does : std::uint8_t {
    leave,  // print `output` and `complaints`, exit with `exit_code`: help, version, --check, wrong
            // usage
    run,    // config.programs has at least one
    explain,  // print the plan; the program may have no command
    ctl,      // `words` are those after ctl
  };
  Does does = Does::leave;
  int exit_code = 0;
  std::string output;      // for standard output
  std::string complaints;  // for standard error: problems and warnings, a line each

  Config config;
  std::string config_path;  // the file that was read; empty: none
  bool json = false;        // explain
  std::string root;         // explain; empty: the real root
  std::vector<std::string> words;
  Environment environment;  // as it was given
  // An ecosystem file of PM2 that node has evaluated, and its value: a reload takes it as it was.
  std::string evaluated_path;
  std::string evaluated;
  std::vector<std::string> argv;  // as it was given: a reload judges it again
};

// argv[0] decides too: under the name pm2-runtime its command line is understood.
Invocation read_invocation(std::span<const std::string> argv, Environment environment,
                           const FileReader& files);

// The process's own words and variables, once, at the start.
std::vector<std::string> words_of(int argc, const char* const* argv);
Environment environment_of_process();

// The effective configuration as TOML, each value with its origin in a comment. Values of variables
// are not shown.
std::string show_configuration(const Configured& configured);

}  // namespace ni::app
