#pragma once

// From what was written (options, variables, TOML) to the Config, with the origin of each value.
//
// Precedence: option > environment > TOML > default. What a [[program]] sets itself beats the top
// level, wherever that was written: NODEINIT_WORKERS=4 must not multiply the queue consumer that
// has `workers = 1`. Every text that was written is judged, also one that a stronger layer hides.
// All problems come back at once.
//
// Several programs in one container:
// - CPUs and memory: core/sizing/shares.h states how they are shared out.
// - The end: when an essential program (`essential`, on by default) has ended for good, i.e. by
//   itself under a policy that does not restart it, or by reaching its restart limit, all others
//   are stopped and the container ends with its code. One that is not essential leaves the others
//   running. When none runs any more, the container ends with the code of the last.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "core/settings/config.h"
#include "core/settings/settings.h"

namespace ni {

struct Problem {
  std::string where;  // "NODEINIT_GRACE", "--grace", "/etc/nodeinit.toml:3:9"
  std::string what;
};

// "NODEINIT_GRACE: …"
std::string to_string(const Problem& problem);

struct Origin {
  enum class From : std::uint8_t {
    fallback,
    web_concurrency,
    file,
    environment,
    option
  };  // weakest first
  From from = From::fallback;
  std::string where;  // as in Problem; "default" for a fallback
};

// One setting as somebody wrote it.
struct Written {
  const Setting* setting;
  std::string text;
  Origin origin;
};

// A command, a name or variables as somebody wrote them, for one [[program]] or the top level of
// the file.
struct WrittenProgram {
  std::string where;
  std::string name;                  // empty: not given
  std::vector<std::string> command;  // empty: not given
  Environment environment;
  std::vector<Written> settings;
};

// What a configuration file says (core/settings/settings_file.h makes it).
struct WrittenFile {
  WrittenProgram top;  // its settings may be the container's too
  std::vector<WrittenProgram> programs;
  std::vector<Problem> problems;
};

// What was chosen for one row of the table.
struct Chosen {
  const Setting* setting;
  Origin origin;
};

struct Configured {
  Config config;
  std::vector<Chosen> top;  // the table's rows, without those only for [[program]]
  std::vector<std::vector<Chosen>> programs;  // only what each [[program]] set itself
  std::vector<Problem> problems;              // not empty: config must not be used
  std::vector<Problem> warnings;
};

// Settings among the variables, with a warning for each NODEINIT_ variable that is none.
void read_environment(const Environment& environment, std::vector<Written>& written,
                      std::vector<Problem>& warnings);

// `command` is the one of the command line, empty if it has none. A configuration without any
// command is in order
// (--explain needs none): who wants to run it looks at Config::programs.
Configured configure(const std::vector<Written>& options, const Environment& environment,
                     const WrittenFile& file, const std::vector<std::string>& command);

// For messages: ", did you mean X?" or nothing. `written` and the result are keys.
std::string hint_for_key(std::string_view written);

}  // namespace ni
