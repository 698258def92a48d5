#pragma once

// PM2's applications in our terms. Options with a counterpart are mapped; those that make no sense
// in a container are named with the reason (remarks) and the start goes on; unknown ones are
// problems, because PM2 itself ignores them in silence and mistakes stay for years.
//
// The result is what a configuration file of ours would have said, so that everything behind it is
// the same: configure() judges it, to_toml() prints it.

#include <string>
#include <string_view>
#include <vector>

#include "core/settings/configure.h"
#include "wire/json.h"

namespace ni {

struct Pm2Translation {
  WrittenFile file;  // one application: its `top`; several: its `programs`
  std::vector<Problem> remarks;
};

// What the command line chooses of an ecosystem file.
struct Pm2Choice {
  std::string environment;        // --env: env_<name> is added
  std::vector<std::string> only;  // --only: names; empty: all
};

// `ecosystem`: {"apps": […]}, or an array of applications, or one application.
Pm2Translation translate_pm2(const wire::Json& ecosystem, const Pm2Choice& choice,
                             const std::string& path);

// JSON as PM2 reads it: // and /* */ comments are blanks.
std::string without_comments(std::string_view json);

// The translation as a configuration file, remarks as comments above.
std::string to_toml(const Pm2Translation& translation);

}  // namespace ni
