#include "core/command/package_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/json.h"

namespace ni {
namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// Only what npm itself prints differs.
constexpr auto kQuiet = std::to_array<std::string_view>(
    {"-s", "--silent", "-q", "--quiet", "--no-update-notifier", "--no-color", "--color=false",
     "--loglevel=silent", "--loglevel=error", "--loglevel=warn", "--no-audit", "--no-fund"});
constexpr auto kDirectory = std::to_array<std::string_view>({"--prefix", "-C", "--cwd", "--dir"});

std::string parent(std::string_view directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/"
                                                       : std::string(directory.substr(0, slash));
}

std::string join(std::string_view directory, std::string_view name) {
  if (name.starts_with('/')) return std::string(name);
  while (name.starts_with("./")) name.remove_prefix(2);
  if (name.empty() || name == ".") return std::string(directory);
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

// The nearest package.json, from here upwards, as npm finds its prefix.
std::optional<std::string> find_package(std::string directory, const FileReader& files,
                                        std::string& text) {
  for (;;) {
    Result<std::string> read = files.read(join(directory, "package.json"));
    if (read) {
      text = *std::move(read);
      return directory;
    }
    if (directory == "/" || directory.empty()) return std::nullopt;
    directory = parent(directory);
  }
}

ScriptFound not_plain(std::string why_not) {
  ScriptFound found;
  found.why_not = std::move(why_not);
  return found;
}

}  // namespace

bool is_package_manager(std::string_view program) {
  const std::string_view name = base_name(program);
  return name == "npm" || name == "yarn" || name == "pnpm" || name == "yarnpkg";
}

std::optional<ScriptCall> parse_script_call(std::span<const std::string> argv) {
  const bool npm = base_name(argv[0]) == "npm";
  ScriptCall call;
  bool run = false;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string_view word = argv[i];
    if (!call.script.empty() && (word == "--" || !npm)) {
      // npm takes its own options up to "--"; yarn and pnpm give what follows the name to the
      // script.
      call.arguments.assign(argv.begin() + static_cast<std::ptrdiff_t>(word == "--" ? i + 1 : i),
                            argv.end());
      break;
    }
    const std::string_view name = word.substr(0, word.find('='));
    if (std::ranges::find(kDirectory, name) != kDirectory.end()) {
      if (name.size() < word.size()) {
        call.directory = word.substr(name.size() + 1);
      } else if (++i < argv.size()) {
        call.directory = argv[i];
      }
    } else if (std::ranges::find(kQuiet, word) != kQuiet.end()) {
      continue;
    } else if (word.starts_with('-')) {
      return std::nullopt;
    } else if (call.script.empty()) {
      if (!run && (word == "run" || word == "run-script" || word == "rum")) {
        run = true;
      } else if (run || word == "start" || word == "test" || !npm) {
        call.script = word;
      } else {
        return std::nullopt;
      }
    } else {
      call.arguments.emplace_back(word);
    }
  }
  // Commands of yarn and pnpm go by the same place as scripts; a script of such a name must be
  // asked for by `run`.
  constexpr auto kCommands =
      std::to_array<std::string_view>({"install", "i", "add", "remove", "exec", "dlx", "node",
                                       "create", "init", "test", "up", "update"});
  const bool a_command = !run && std::ranges::find(kCommands, call.script) != kCommands.end();
  if (call.script.empty() || a_command) return std::nullopt;
  return call;
}

ScriptFound find_script(const ScriptCall& call, std::string_view directory,
                        const FileReader& files) {
  std::string text;
  const std::optional<std::string> place =
      find_package(join(directory, call.directory), files, text);
  if (!place) return not_plain("no package.json");
  std::string_view json_text = text;
  if (json_text.starts_with("\xEF\xBB\xBF")) json_text.remove_prefix(3);
  const Result<wire::Json> package = wire::Json::parse(json_text, {.depth = 64});
  if (!package) return not_plain(fmt::format("package.json: {}", package.error().reason));
  const wire::Json scripts = package->at("scripts");
  std::optional<std::string> script = scripts.at(call.script).string();
  if (!script && call.script == "start" && files.read(join(*place, "server.js"))) {
    script = "node server.js";  // npm-start: the default
  }
  if (!script) return not_plain(fmt::format("package.json has no script {}", call.script));
  for (const std::string_view hook : {"pre", "post"}) {
    const std::string name = fmt::format("{}{}", hook, call.script);
    if (call.runs_hooks && scripts.at(name)) {
      return not_plain(
          fmt::format("package.json has a script {}, which only npm can run around it", name));
    }
  }
  ScriptFound found;
  found.command = parse_plain_command(*script);
  if (!found.command) return not_plain(fmt::format("`{}` needs a shell", printable(*script, 120)));
  found.command->words.insert(found.command->words.end(), call.arguments.begin(),
                              call.arguments.end());
  found.directory = *place;
  for (std::string folder = *place;; folder = parent(folder)) {
    found.path.push_back(join(folder, "node_modules/.bin"));
    if (folder == "/") break;
  }
  found.environment = {{"npm_lifecycle_event", call.script},
                       {"npm_lifecycle_script", *script},
                       {"npm_package_json", join(*place, "package.json")},
                       {"npm_package_name", package->at("name").string().value_or("")},
                       {"npm_package_version", package->at("version").string().value_or("")},
                       {"INIT_CWD", std::string(directory)}};
  return found;
}

}  // namespace ni
