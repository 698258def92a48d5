#include "core/command/package_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/command/workspaces.h"
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
  return name == "npm" || name == "yarn" || name == "pnpm" || name == "yarnpkg" || name == "npx" ||
         name == "pnpx";
}

namespace {

// The words of a call, taken from left to right.
class CallReader {
 public:
  explicit CallReader(std::span<const std::string> argv) : argv_(argv), name_(base_name(argv[0])) {}

  std::optional<ScriptCall> read() {
    if (name_ == "npx" || name_ == "pnpx") {
      call_.means = ScriptCall::Means::bin;
      run_ = true;
    }
    while (at_ < argv_.size() && !done_) {
      if (!word()) {
        return std::nullopt;
      }
    }
    // Commands of yarn and pnpm go by the same place as scripts; a script of such a name must be asked for by `run`.
    const bool a_command = !run_ && std::ranges::find(kCommands, call_.script) != kCommands.end();
    if (call_.script.empty() || a_command) {
      return std::nullopt;
    }
    return call_;
  }

 private:
  static constexpr auto kCommands =
      std::to_array<std::string_view>({"install", "i", "add", "remove", "exec", "dlx", "node",
                                       "create", "init", "test", "up", "update"});

  bool npm() const { return name_ == "npm"; }
  bool is_bin() const { return call_.means == ScriptCall::Means::bin; }

  // The value of an option: behind its '=', or the next word.
  std::string value_of(std::string_view word, std::string_view option) {
    if (option.size() < word.size()) {
      return std::string(word.substr(option.size() + 1));
    }
    return ++at_ < argv_.size() ? argv_[at_] : "";
  }

  void take_rest(std::size_t from) {
    call_.arguments.assign(argv_.begin() + static_cast<std::ptrdiff_t>(from), argv_.end());
    done_ = true;
  }

  bool word() {
    const std::string_view word = argv_[at_];
    const bool named = !call_.script.empty();
    if (word == "--" && !(is_bin() && !named)) {
      take_rest(at_ + 1);
      return named;
    }
    if (named &&
        (!npm() || is_bin())) {  // npm takes its own options up to "--", the others up to the name
      take_rest(at_);
      return true;
    }
    const bool known = word.starts_with('-') ? option(word) : name(word);
    ++at_;
    return known;
  }

  bool option(std::string_view word) {
    const std::string_view option = word.substr(0, word.find('='));
    if (std::ranges::find(kDirectory, option) != kDirectory.end()) {
      call_.directory = value_of(word, option);
      return true;
    }
    const bool filters = name_ == "pnpm" ? option == "--filter" || option == "-F"
                                         : npm() && (option == "--workspace" || option == "-w");
    if (filters && call_.workspace.empty()) {
      call_.workspace = value_of(word, option);
      // A pattern, or a package with those that it needs, may be several.
      return !call_.workspace.empty() &&
             call_.workspace.find_first_of("*!^{}[]") == std::string::npos &&
             call_.workspace.find("...") == std::string::npos;
    }
    if (is_bin()) {
      constexpr auto kOfNpx =
          std::to_array<std::string_view>({"-y", "--yes", "--no", "--no-install"});
      if (word == "--" || std::ranges::find(kOfNpx, word) != kOfNpx.end()) {
        return true;
      }
    }
    return std::ranges::find(kQuiet, word) != kQuiet.end();
  }

  bool name(std::string_view word) {
    if (!call_.script.empty()) {
      call_.arguments.emplace_back(word);
      return true;
    }
    if (!run_ && (word == "run" || word == "run-script" || word == "rum")) {
      run_ = true;
      call_.means =
          name_.starts_with("yarn") ? ScriptCall::Means::script_or_bin : ScriptCall::Means::script;
      return true;
    }
    if (!run_ && (word == "exec" || (npm() && word == "x"))) {
      run_ = true;
      call_.means = ScriptCall::Means::bin;
      return true;
    }
    if (!run_ && name_.starts_with("yarn") && word == "workspace" && call_.workspace.empty()) {
      call_.workspace = value_of("workspace", "workspace");
      return !call_.workspace.empty();
    }
    if (!run_ && npm() && word != "start" && word != "test") {
      return false;
    }
    call_.script = word;
    if (!run_ && !npm()) {
      call_.means = ScriptCall::Means::script_or_bin;
    }
    return true;
  }

  std::span<const std::string> argv_;
  std::string_view name_;
  ScriptCall call_;
  std::size_t at_ = 1;
  bool run_ = false;
  bool done_ = false;
};

void add_bin_folders(ScriptFound& found, const std::string& from) {
  for (std::string folder = from;; folder = parent(folder)) {
    found.path.push_back(join(folder, "node_modules/.bin"));
    if (folder == "/") {
      break;
    }
  }
}

bool holds(const std::vector<std::string>& folders, const std::string& program,
           const FileReader& files) {
  return std::ranges::any_of(folders, [&](const std::string& folder) {
    return static_cast<bool>(files.read_program(join(folder, program)));
  });
}

// A program of node_modules/.bin, run where we are.
ScriptFound find_bin(const ScriptCall& call, const std::string& place, const FileReader& files) {
  ScriptFound found;
  add_bin_folders(found, place);
  if (call.script.find('/') != std::string::npos || !holds(found.path, call.script, files)) {
    return not_plain(fmt::format("{} is not in node_modules/.bin", call.script));
  }
  found.command.emplace();
  found.command->words = {call.script};
  found.command->words.insert(found.command->words.end(), call.arguments.begin(),
                              call.arguments.end());
  found.directory = place;
  return found;
}

}  // namespace

std::optional<ScriptCall> parse_script_call(std::span<const std::string> argv) {
  return CallReader(argv).read();
}

ScriptFound find_script(const ScriptCall& call, std::string_view directory,
                        const FileReader& files) {
  std::string text;
  std::string from = join(directory, call.directory);
  if (!call.workspace.empty()) {
    const std::optional<std::string> workspace = find_workspace(call.workspace, from, files);
    if (!workspace) return not_plain(fmt::format("no one workspace {}", call.workspace));
    from = *workspace;
  }
  if (call.means == ScriptCall::Means::bin) return find_bin(call, from, files);
  const std::optional<std::string> place = find_package(from, files, text);
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
  if (!script && call.means == ScriptCall::Means::script_or_bin) {
    ScriptFound bin = find_bin(call, *place, files);
    if (bin.command) return bin;
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
  add_bin_folders(found, *place);
  found.environment = {{"npm_lifecycle_event", call.script},
                       {"npm_lifecycle_script", *script},
                       {"npm_package_json", join(*place, "package.json")},
                       {"npm_package_name", package->at("name").string().value_or("")},
                       {"npm_package_version", package->at("version").string().value_or("")},
                       {"INIT_CWD", std::string(directory)}};
  return found;
}

}  // namespace ni
