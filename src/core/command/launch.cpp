#include "core/command/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "core/command/node_command.h"
#include "core/command/package_script.h"
#include "core/command/shell_words.h"
#include "core/settings/command_text.h"

namespace ni {
namespace {

constexpr int kMostLevels = 8;  // npm start → npm run serve → sh -c … → node

constexpr auto kShells = std::to_array<std::string_view>({"sh", "bash", "dash", "ash"});

// Tools of node_modules/.bin that are themselves the server, in their own process (checked: next
// start). Others (tsx, nodemon, ts-node-dev, nest, concurrently …) start the server as a process of
// theirs, which cannot be shared.
constexpr auto kServers =
    std::to_array<std::string_view>({"next", "fastify", "http-server", "serve", "remix-serve",
                                     "react-router-serve", "json-server"});
// What to write in place of a tool that starts processes of its own.
struct Fix {
  std::string_view tool;
  std::string_view instead;
};
constexpr auto kFixes = std::to_array<Fix>({
    {"tsx", "node --import tsx"},
    {"ts-node", "node -r ts-node/register"},
    {"ts-node-dev", "node -r ts-node/register"},
    {"nodemon", "node (nodeinit restarts it)"},
    {"node-dev", "node"},
    {"pm2", "node (nodeinit is what pm2 would be)"},
    {"pm2-runtime", "node (nodeinit is what pm2-runtime would be)"},
    {"forever", "node (nodeinit restarts it)"},
    {"nest", "node dist/main"},
});

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// Runtimes of which a cluster can be made though they are not node.
bool fix_is_the_mode(std::string_view program) {
  return base_name(program) == "bun" || base_name(program) == "deno";
}

bool contains(std::span<const std::string_view> list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

// One way down from a wrapper to what it runs.
class Resolution {
 public:
  Resolution(const LaunchQuestion& question, const FileReader& files) : files_(files) {
    launch_.argv.assign(question.command.begin(), question.command.end());
    directory_ = question.directory;
  }

  Launch run() {
    for (int level = 0; level < kMostLevels && !done_; ++level) step();
    return std::move(launch_);
  }

 private:
  void step() {
    const std::string_view program = base_name(launch_.argv.front());
    if (is_node(launch_.argv.front())) return node();
    if (is_package_manager(program)) return package_script(parse_script_call(launch_.argv));
    if (contains(kShells, program)) return shell();
    if (program == "cross-env" || program == "env") return assignments();
    tool();
  }

  void node() {
    const NodeCommand command = parse_node_command(launch_.argv);
    switch (command.runs) {
      case NodeCommand::Runs::script:
        launch_.node = true;
        launch_.script = command.operand;
        return finish(fmt::format("node with the script {}", launch_.argv[command.operand]));
      case NodeCommand::Runs::package_script: {
        const auto from = launch_.argv.begin() + static_cast<std::ptrdiff_t>(command.operand) + 1;
        ScriptCall call;
        call.script = command.package_script;
        call.arguments.assign(from, launch_.argv.end());
        call.runs_hooks = false;  // node --run leaves pre and post scripts out
        return package_script(call);
      }
      case NodeCommand::Runs::something_else:
        return finish(command.because);
    }
  }

  void shell() {
    const std::vector<std::string>& argv = launch_.argv;
    if (argv.size() != 3 || argv[1] != "-c") return finish("a shell");
    const std::optional<PlainCommand> plain = parse_plain_command(argv[2]);
    if (!plain) {
      return finish(fmt::format("{} -c with more than one plain command", base_name(argv[0])));
    }
    replace(*plain, fmt::format("{} -c", base_name(argv[0])));
  }

  void assignments() {
    const std::vector<std::string> argv = launch_.argv;
    PlainCommand plain;
    std::size_t i = 1;
    for (; i < argv.size() && !argv[i].empty() && argv[i].front() != '-'; ++i) {
      const std::size_t equals = argv[i].find('=');
      if (equals == std::string::npos) break;
      plain.environment.emplace_back(argv[i].substr(0, equals), argv[i].substr(equals + 1));
    }
    plain.words.assign(argv.begin() + static_cast<std::ptrdiff_t>(i), argv.end());
    if (plain.words.empty() || plain.words.front().starts_with('-')) return finish(argv[0]);
    replace(plain, "");
  }

  void package_script(const std::optional<ScriptCall>& call) {
    const std::string wrapper = join_command(launch_.argv);
    if (!call) return finish(fmt::format("{} is not looked through", wrapper));
    const ScriptFound found = find_script(*call, directory_, files_);
    if (!found.command) {
      launch_.advice = fmt::format("{}: {}; name the node command itself to have a cluster",
                                   wrapper, found.why_not);
      return finish(fmt::format("{}: {}", wrapper, found.why_not));
    }
    directory_ = found.directory;
    launch_.directory = found.directory;
    launch_.path.insert(launch_.path.begin(), found.path.begin(), found.path.end());
    launch_.environment.insert(launch_.environment.end(), found.environment.begin(),
                               found.environment.end());
    replace(*found.command, wrapper);
  }

  // A program that is neither node nor a wrapper we know: perhaps a server of node_modules/.bin.
  void tool() {
    const std::string name(base_name(launch_.argv.front()));
    const auto fix = std::ranges::find(kFixes, name, &Fix::tool);
    if (fix != kFixes.end()) {
      launch_.advice =
          fmt::format("{} starts the program as a process of its own; use {} to have a cluster",
                      name, fix->instead);
      return finish(fmt::format("{} is not node", name));
    }
    if (fix_is_the_mode(name)) {
      launch_.advice = fmt::format(
          "{} runs as one process; NODEINIT_MODE=cluster has several share the port, and "
          "NODEINIT_MODE=single says that one is wanted",
          name);
      return finish(fmt::format("{} is not node", name));
    }
    // `next dev` and `next build` start processes of their own; only `start` is a server.
    const bool starts = name != "next" || (launch_.argv.size() > 1 && launch_.argv[1] == "start");
    if (!starts || !contains(kServers, name)) return finish(fmt::format("{} is not node", name));
    for (const std::string& folder : launch_.path) {
      const std::string path = fmt::format("{}/{}", folder, name);
      const Result<std::string> text = files_.read(path);
      if (!text) continue;
      const std::string_view first = first_line(*text);
      if (!first.starts_with("#!") || !is_node(trim(first.substr(first.find_last_of(" /") + 1))))
        break;
      launch_.argv.front() = path;
      launch_.argv.insert(launch_.argv.begin(), "node");
      return;
    }
    finish(fmt::format("{} is not node", name));
  }

  void replace(const PlainCommand& command, std::string_view wrapper) {
    launch_.environment.insert(launch_.environment.end(), command.environment.begin(),
                               command.environment.end());
    launch_.argv = command.words;
    if (!wrapper.empty() && through_.empty()) through_ = wrapper;
  }

  void finish(std::string reason) {
    done_ = true;
    launch_.reason = through_.empty()
                         ? std::move(reason)
                         : fmt::format("{} runs `{}`", through_, join_command(launch_.argv));
  }

  const FileReader& files_;
  Launch launch_;
  std::string directory_;
  std::string through_;  // the outermost wrapper
  bool done_ = false;
};

// As the user wrote it.
Launch untouched(const LaunchQuestion& question) {
  Launch launch;
  launch.argv.assign(question.command.begin(), question.command.end());
  if (is_node(launch.argv.front())) {
    const NodeCommand command = parse_node_command(launch.argv);
    launch.node = command.runs == NodeCommand::Runs::script;
    launch.script = command.operand;
  }
  return launch;
}

}  // namespace

Balance balance_for(std::string_view program, Balance asked) {
  return base_name(program) == "deno" ? Balance::round_robin : asked;
}

Launch resolve_launch(const LaunchQuestion& question, const FileReader& files) {
  if (question.mode == Mode::single) {
    Launch launch = untouched(question);
    launch.reason = "asked for";
    return launch;
  }
  Launch launch = Resolution(question, files).run();
  if (!launch.node) {
    // A wrapper that leads to no node command stays what it is, with its own ways.
    Launch plain = untouched(question);
    plain.reason = std::move(launch.reason);
    plain.advice = std::move(launch.advice);
    launch = std::move(plain);
  }
  const bool cluster = question.mode == Mode::cluster || launch.node;
  const bool as_wanted = cluster && !launch.node && fix_is_the_mode(launch.argv.front());
  if (as_wanted) launch.advice.clear();
  launch.mode = cluster ? Mode::cluster : Mode::single;
  if (launch.reason.empty()) launch.reason = "wrappers inside wrappers";
  return launch;
}

}  // namespace ni
