#pragma once

// Scripts of package.json, as npm, yarn, pnpm and `node --run` would run them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_reader.h"
#include "core/command/shell_words.h"

namespace ni {

bool is_package_manager(std::string_view program);  // npm, yarn, pnpm, npx

struct ScriptCall {
  std::string script;                  // "start"
  std::vector<std::string> arguments;  // put behind the script's own
  std::string directory;               // --prefix, -C, --cwd; empty: here
  std::string workspace;               // -w, --filter, yarn workspace; empty: none
  bool runs_hooks = true;              // prestart and poststart belong to it
  enum class Means : std::uint8_t {
    script,
    script_or_bin,  // yarn X: a program of node_modules/.bin when there is no such script
    bin             // npx X, npm exec X: of the package where we are, or of a folder above
  };
  Means means = Means::script;
};

// nullopt: not a script (npm install), or with options that we do not know the meaning of. The name of a `bin` is not
// looked up here: find_script() gives it as the command's first word, with the folders to look in.
std::optional<ScriptCall> parse_script_call(std::span<const std::string> argv);

struct ScriptFound {
  std::optional<PlainCommand> command;  // nullopt: why_not says it
  std::string why_not;
  std::string directory;          // of the package.json
  std::vector<std::string> path;  // node_modules/.bin of it and of the folders above
  std::vector<std::pair<std::string, std::string>> environment;  // npm_lifecycle_event …
};

ScriptFound find_script(const ScriptCall& call, std::string_view directory,
                        const FileReader& files);

}  // namespace ni
