#include "core/command/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "core/command/node_command.h"
#include "core/command/package_script.h"
#include "core/command/program_file.h"
#include "core/command/shell_words.h"
#include "core/settings/command_text.h"

namespace ni {
namespace {

constexpr int kMostLevels = 8;  // npm start → npm run serve → sh -c … → node

constexpr auto kShells = std::to_array<std::string_view>({"sh", "bash", "dash", "ash"});

// Node programs that start the real one as a process of theirs, often with an environment of its own: never the server.
constexpr auto kWrappers = std::to_array<std::string_view>({"c8",
                                                            "conc",
                                                            "concurrently",
                                                            "cross-env",
                                                            "cross-env-shell",
                                                            "dotenv",
                                                            "dotenvx",
                                                            "env-cmd",
                                                            "infisical",
                                                            "lerna",
                                                            "npm-run-all",
                                                            "nps",
                                                            "nx",
                                                            "nyc",
                                                            "onchange",
                                                            "react-scripts",
                                                            "run-p",
                                                            "run-s",
                                                            "start-server-and-test",
                                                            "supervisor",
                                                            "turbo",
                                                            "vite-node",
                                                            "wireit",
                                                            "zx"});
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

// `path` as seen from `directory`.
std::string below(std::string_view directory, std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path.starts_with('/') ? std::string(path) : fmt::format("{}/{}", directory, path);
}

// Where the text of `sh -c TEXT` stands, if the shell adds nothing to it: -e and -u make no difference to one command.
// A login shell (-l) does: the profiles that it reads set PATH and what else they like.
std::optional<std::size_t> plain_shell_text(const std::vector<std::string>& argv) {
  for (std::size_t i = 1; i + 1 < argv.size(); ++i) {
    const std::string_view word = argv[i];
    if (word.size() < 2 || word[0] != '-' ||
        word.find_first_not_of("ceu", 1) != std::string_view::npos) {
      return std::nullopt;
    }
    if (word.find('c') != std::string_view::npos) {
      return i + 1;
    }
  }
  return std::nullopt;
}

// Why what is run as it is may start Node all the same, for a person; empty: nothing says that it does.
std::string may_start_node(const LaunchQuestion& question, const FileReader& files) {
  const std::span<const std::string> words = question.command;
  const std::string_view program = base_name(words.front());
  if (is_node(words.front())) {
    const NodeCommand command = parse_node_command(words);
    const bool serves = command.because == "node --watch" ||
                        command.because == "node --watch-path" ||
                        command.because == "a script on standard input" ||
                        std::ranges::any_of(words, [](const std::string& word) {
                          return word.find(".listen(") != std::string::npos;
                        });
    return serves ? command.because : "";
  }
  if (is_package_manager(program)) {
    constexpr auto kRuns =
        std::to_array<std::string_view>({"exec", "x", "dlx", "run", "run-script", "start"});
    const bool runs =
        program == "npx" || program == "pnpx" ||
        std::ranges::any_of(words.subspan(1), [&](auto& word) { return contains(kRuns, word); });
    return runs ? fmt::format("{} keeps the program as a process of its own", program) : "";
  }
  if (contains(kWrappers, program)) {
    return fmt::format("{} starts the program as a process of its own", program);
  }
  const bool shell = contains(kShells, program);
  std::string file = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (is_program_of_node(word) || (shell && names_node(word))) {
      return fmt::format("{} starts it", program);
    }
    if (shell && !word.starts_with('-') && file == words.front()) {
      file = word;
    }
  }
  if (shell ? file == words.front() : file.find('/') == std::string::npos) {
    return "";
  }
  const std::string place = below(question.directory, file);
  const Result<std::string> text = shell ? files.read(place) : files.read_program(place);
  const bool is_script = text && (shell || contains(kShells, interpreter_of(*text)));
  return is_script && names_node(*text) ? fmt::format("{} names it", base_name(file)) : "";
}

// One way down from a wrapper to what it runs.
class Resolution {
 public:
  Resolution(const LaunchQuestion& question, const FileReader& files)
      : question_(question), files_(files) {
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
    const std::optional<std::size_t> text = plain_shell_text(argv);
    if (!text) return finish("a shell");
    const std::optional<PlainCommand> plain = parse_plain_command(argv[*text]);
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
    const std::span<const std::string> arguments_of_it(launch_.argv.begin() + 1,
                                                       launch_.argv.end());
    if (contains(kWrappers, name) || std::ranges::any_of(arguments_of_it, is_program_of_node)) {
      return finish(fmt::format("{} starts the program as a process of its own", name));
    }
    // `next dev` and `next build` start processes of their own; only `start` is a server.
    const bool starts = name != "next" || (launch_.argv.size() > 1 && launch_.argv[1] == "start");
    const std::optional<Interpreted> file = starts ? launcher() : std::nullopt;
    if (!file) {
      return finish(fmt::format("{} is not node", name));
    }
    const std::vector<std::string> arguments(launch_.argv.begin() + 1, launch_.argv.end());
    launch_.argv = file->words;
    launch_.argv.insert(launch_.argv.end(), arguments.begin(), arguments.end());
    if (!file->node_path.empty()) {
      const std::string own =
          question_.node_path.empty() ? "" : fmt::format(":{}", question_.node_path);
      launch_.environment.emplace_back("NODE_PATH", file->node_path + own);
    }
    if (through_.empty()) {
      through_ = name;
    }
  }

  // What the first word is, if it is a script of node's: looked up as execvp(3) would.
  std::optional<Interpreted> launcher() const {
    const std::string& program = launch_.argv.front();
    std::vector<std::string> candidates;
    if (program.find('/') != std::string::npos) {
      candidates.push_back(program);
    } else {
      for (const std::string& folder : launch_.path) {
        candidates.push_back(fmt::format("{}/{}", folder, program));
      }
      for (const std::string_view folder : split(question_.path, ':')) {
        candidates.push_back(fmt::format("{}/{}", folder.empty() ? "." : folder, program));
      }
    }
    for (const std::string& path : candidates) {
      const Result<std::string> text = files_.read_program(below(directory_, path));
      if (!text) {
        continue;
      }
      return interpreted(path, *text);
    }
    return std::nullopt;
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

  const LaunchQuestion& question_;
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

std::string_view sign_of_job(const Environment& environment) {
  constexpr std::array<std::string_view, 5> kSigns = {"JOB_COMPLETION_INDEX", "CLOUD_RUN_JOB",
                                                      "AWS_BATCH_JOB_ID", "CONTAINER_APP_JOB_NAME",
                                                      "AWS_LAMBDA_FUNCTION_NAME"};
  for (const std::string_view sign : kSigns) {
    if (find_variable(environment, sign)) return sign;
  }
  // Heroku: web.1 is a dyno of the formation; run.1234 and release.1234 are one-off.
  const auto dyno = find_variable(environment, "DYNO");
  const bool once = dyno && (dyno->starts_with("run.") || dyno->starts_with("release."));
  return once ? std::string_view("DYNO") : std::string_view();
}

Launch resolve_launch(const LaunchQuestion& question, const FileReader& files) {
  if (question.mode == Mode::single) {
    Launch launch = untouched(question);
    launch.reason = "asked for";
    return launch;
  }
  Launch launch = Resolution(question, files).run();
  const bool other_runtime = question.mode == Mode::cluster && fix_is_the_mode(launch.argv.front());
  if (!launch.node && !other_runtime) {
    // A wrapper that leads to no node command stays what it is, with its own ways.
    Launch plain = untouched(question);
    plain.reason = std::move(launch.reason);
    plain.advice = std::move(launch.advice);
    launch = std::move(plain);
  }
  if (question.mode == Mode::automatic && launch.node && !question.job.empty()) {
    Launch once = untouched(question);
    once.reason = fmt::format("{} is set: a job", question.job);
    once.note = fmt::format(
        "{} is set, so this is a job: one process, once. NODEINIT_MODE=cluster has workers all the "
        "same, NODEINIT_MODE=single says that one is wanted",
        question.job);
    return once;
  }
  const bool cluster = question.mode == Mode::cluster || launch.node;
  const bool as_wanted = cluster && !launch.node && fix_is_the_mode(launch.argv.front());
  if (as_wanted) launch.advice.clear();
  launch.mode = cluster ? Mode::cluster : Mode::single;
  if (launch.reason.empty()) launch.reason = "wrappers inside wrappers";
  if (cluster) return launch;
  const std::string why = may_start_node(question, files);
  const bool starts_node =
      !why.empty() || (!launch.advice.empty() && !fix_is_the_mode(base_name(launch.argv.front())));
  if (starts_node && question.adopt && question.job.empty() && !is_node(question.command.front())) {
    launch.mode = Mode::cluster;
    launch.adopts = true;
    launch.advice.clear();
    launch.reason =
        fmt::format("{}: the Node process below it that listens first", join_command(launch.argv));
    launch.note = fmt::format(
        "{} is run as it is; the Node process below it that listens first becomes the program, and "
        "its siblings are started beside it (NODEINIT_ADOPT=off: one process)",
        join_command(launch.argv));
    return launch;
  }
  if (launch.advice.empty()) {
    if (!why.empty()) {
      launch.note = fmt::format(
          "Node runs as one process here ({}); to have several, make the command `node FILE`, or "
          "let the script end in "
          "`exec nodeinit node FILE`; NODEINIT_MODE=single says that one is wanted",
          why);
    }
  }
  return launch;
}

}  // namespace ni
