#include "core/command/launch.h"

#include <algorithm>

#include "core/command/node_arguments.h"
#include "core/command/node_command.h"
#include "core/command/shell_words.h"
#include "core/settings/command_text.h"
#include "support/catch.h"
#include "support/map_files.h"

using namespace ni;

namespace {

using Files = test::MapFiles;

Launch launch(std::string_view command, const Files& files = {}, Mode mode = Mode::automatic) {
  const std::vector<std::string> words = *split_command(command);
  return resolve_launch({.command = words, .mode = mode, .directory = "/app"}, files);
}

Files package(std::string_view scripts) {
  return Files({{"/app/package.json",
                 R"({"name":"shop","version":"1.2.3","scripts":{)" + std::string(scripts) + "}}"}});
}

// By a process, or as a cluster that adopts who listens first below it.
bool is_run_as_it_is(const Launch& launch) {
  return launch.mode == Mode::single || launch.adopts;
}

}  // namespace

TEST_CASE("node with a script is a cluster, everything else of node is not") {
  for (const char* command :
       {"node server.js", "nodejs ./server.js",
        "/usr/local/bin/node --enable-source-maps dist/main.js --port 1",
        "node -r ./trace.js --import tsx app.ts", "node --max-old-space-size=300 -- app.js",
        "node --env-file .env app.js", "node --conditions=production app.mjs"}) {
    INFO(command);
    const Launch result = launch(command);
    CHECK(result.mode == Mode::cluster);
    CHECK(result.node);
    CHECK(result.argv == *split_command(command));
    CHECK(result.advice.empty());
  }
  for (const char* command :
       {"node", "node -e 1", "node -pe 1", "node --version", "node -v", "node -i x.js",
        "node --check x.js", "node --test", "node --watch app.js", "node inspect app.js", "node -",
        "node -r ./x.js", "python3 app.py", "sh", "bash -l", "sh -c 'node a.js && node b.js'",
        "npm install", "npx tsx app.ts", "./server"}) {
    INFO(command);
    const Launch result = launch(command);
    CHECK(is_run_as_it_is(result));
    CHECK(result.argv == *split_command(command));
  }
}

TEST_CASE("below what may start Node who listens first is adopted, unless that is turned off") {
  const Files files({{"/app/start.sh", "#!/bin/sh\nset -e\nexec node server.js\n"},
                     {"/app/backup.sh", "#!/bin/sh\npg_dump\n"},
                     {"/app/wrap", "#!/usr/bin/env node\n"}});
  for (const char* command : {"sh start.sh", "./start.sh", "sh -c 'node a.js && node b.js'",
                              "dotenv -- node a.js", "npx tsx app.ts", "./wrap node a.js"}) {
    INFO(command);
    const std::vector<std::string> words = *split_command(command);
    const LaunchQuestion question{.command = words, .directory = "/app"};
    const Launch result = resolve_launch(question, files);
    CHECK(result.mode == Mode::cluster);
    CHECK(result.adopts);
    CHECK(result.argv == words);
    CHECK(result.advice.empty());
    CHECK(result.note.find("listens first becomes the program") != std::string::npos);
    LaunchQuestion off = question;
    off.adopt = false;
    CHECK(resolve_launch(off, files).mode == Mode::single);
    LaunchQuestion job = question;
    job.job = "CLOUD_RUN_JOB";
    CHECK(resolve_launch(job, files).mode == Mode::single);
  }
  for (const char* command : {"./backup.sh", "sh backup.sh", "node -", "node --watch a.js", "ls"}) {
    INFO(command);
    CHECK(launch(command, files).mode == Mode::single);
    CHECK_FALSE(launch(command, files).adopts);
  }
}

TEST_CASE("where the platform says that it is a job, it runs once as one process") {
  const std::vector<std::string> words{"node", "server.js"};
  const auto with = [&](const Environment& environment, Mode mode) {
    return resolve_launch(
        {.command = words, .mode = mode, .directory = "/app", .job = sign_of_job(environment)},
        Files());
  };
  for (const Environment& environment :
       {Environment{{"JOB_COMPLETION_INDEX", "0"}}, Environment{{"CLOUD_RUN_JOB", "nightly"}},
        Environment{{"AWS_BATCH_JOB_ID", "1"}}, Environment{{"CONTAINER_APP_JOB_NAME", "x"}},
        Environment{{"AWS_LAMBDA_FUNCTION_NAME", "f"}}, Environment{{"DYNO", "run.4711"}},
        Environment{{"DYNO", "release.12"}}}) {
    INFO(environment.front().first);
    const Launch launch = with(environment, Mode::automatic);
    CHECK(launch.mode == Mode::single);
    CHECK(launch.argv == words);
    CHECK(launch.note.starts_with(environment.front().first + " is set, so this is a job"));
    CHECK(with(environment, Mode::cluster).mode == Mode::cluster);
  }
  CHECK(with({{"DYNO", "web.1"}}, Mode::automatic).mode == Mode::cluster);
}

TEST_CASE("the script operand is found behind node's options") {
  const std::vector<std::string> argv =
      *split_command("node -r a --inspect=9300 --title x -- s.js -e");
  const NodeCommand command = parse_node_command(argv);
  CHECK(command.runs == NodeCommand::Runs::script);
  CHECK(command.operand == 7);
  CHECK(command.inspect == 3U);
}

TEST_CASE("npm start is looked through to the node command it runs") {
  const Files files =
      package(R"("start":"NODE_ENV=production node --enable-source-maps server.js")");
  for (const char* command :
       {"npm start", "npm run start", "npm run -s start", "yarn start", "yarn run start",
        "pnpm start", "/usr/bin/npm --silent start", "sh -c 'npm start'"}) {
    INFO(command);
    const Launch result = launch(command, files);
    CHECK(result.mode == Mode::cluster);
    CHECK(join_command(result.argv) == "node --enable-source-maps server.js");
    CHECK(result.script == 2);
    CHECK(result.path.front() == "/app/node_modules/.bin");
    CHECK(result.reason.find("runs `node --enable-source-maps server.js`") != std::string::npos);
    CHECK(std::ranges::count(result.environment,
                             std::pair<std::string, std::string>("NODE_ENV", "production")) == 1);
    CHECK(std::ranges::count(result.environment, std::pair<std::string, std::string>(
                                                     "npm_package_version", "1.2.3")) == 1);
  }
}

TEST_CASE("arguments behind npm's -- go to the script, yarn and pnpm need no --") {
  const Files files = package(R"("start":"node server.js")");
  CHECK(join_command(launch("npm start -- --port 1", files).argv) == "node server.js --port 1");
  CHECK(join_command(launch("yarn start --port 1", files).argv) == "node server.js --port 1");
  CHECK(is_run_as_it_is(launch("npm start --port 1", files)));
}

TEST_CASE("scripts inside scripts, --prefix, the default start and node --run are followed") {
  Files files = package(R"("start":"npm run serve","serve":"cross-env A=b node x.js")");
  CHECK(join_command(launch("npm start", files).argv) == "node x.js");
  CHECK(join_command(launch("node --run serve", files).argv) == "node x.js");
  files.put("/srv/api/package.json", R"({"scripts":{}})");
  files.put("/srv/api/server.js", "");
  const Launch prefixed = launch("npm --prefix /srv/api start", files);
  CHECK(join_command(prefixed.argv) == "node server.js");
  CHECK(prefixed.directory == "/srv/api");
}

TEST_CASE("a server of node_modules/.bin is run by node itself") {
  Files files = package(R"("start":"next start -p 3000","dev":"next dev")");
  files.put("/app/node_modules/.bin/next", "#!/usr/bin/env node\n");
  const Launch result = launch("npm start", files);
  CHECK(result.mode == Mode::cluster);
  CHECK(join_command(result.argv) == "node /app/node_modules/.bin/next start -p 3000");
  CHECK(is_run_as_it_is(launch("npm run dev", files)));
}

TEST_CASE("a launcher is found by its first line, along PATH, and run by the node that it names") {
  const Files files({{"/app/node_modules/.bin/verdaccio", "#!/usr/bin/env node\nrequire('x')\n"},
                     {"/app/tool", "#!/usr/bin/env -S node --no-warnings\n"},
                     {"/app/own", "#!/opt/node/bin/node\n"},
                     {"/usr/bin/parsoid", "#! /usr/bin/node\n"},
                     {"/app/odd", "#!/usr/bin/env node --no-warnings\n"},
                     {"/app/run.py", "#!/usr/bin/env python3\n"}});
  const auto line = [&](std::string_view command) {
    const std::vector<std::string> words = *split_command(command);
    const Launch result =
        resolve_launch({.command = words, .directory = "/app", .path = "/none:/usr/bin"}, files);
    CHECK(result.node == !is_run_as_it_is(result));
    return join_command(result.argv);
  };
  CHECK(line("node_modules/.bin/verdaccio -l 4873") == "node node_modules/.bin/verdaccio -l 4873");
  CHECK(line("/app/tool a") == "node --no-warnings /app/tool a");
  CHECK(line("./own") == "/opt/node/bin/node ./own");
  CHECK(line("parsoid x") == "/usr/bin/node /usr/bin/parsoid x");
  CHECK(line("npx verdaccio -l 1") == "node /app/node_modules/.bin/verdaccio -l 1");
  CHECK(line("npx --no-install verdaccio") == "node /app/node_modules/.bin/verdaccio");
  CHECK(line("npm exec -- verdaccio -l 1") == "node /app/node_modules/.bin/verdaccio -l 1");
  CHECK(line("pnpm exec verdaccio") == "node /app/node_modules/.bin/verdaccio");
  for (const char* command :
       {"./odd", "./run.py", "./missing", "npx unknown", "npx -p a verdaccio", "./none/tool"}) {
    INFO(command);
    CHECK(line(command) == command);
  }
}

TEST_CASE("pnpm's shims are read for the node command at their end") {
  const std::string shim = R"sh(#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\,/,g')")

if [ -z "$NODE_PATH" ]; then
  export NODE_PATH="/app/node_modules/.pnpm/node_modules"
else
  export NODE_PATH="/app/node_modules/.pnpm/node_modules:$NODE_PATH"
fi
if [ -x "$basedir/node" ]; then
  exec "$basedir/node"  "$basedir/../serve/build/main.js" "$@"
else
  exec node  "$basedir/../serve/build/main.js" "$@"
fi
)sh";
  const Files files({{"/app/node_modules/.bin/serve", shim}});
  const std::vector<std::string> words = {"node_modules/.bin/serve", "-l", "80"};
  const Launch result =
      resolve_launch({.command = words, .directory = "/app", .node_path = "/own"}, files);
  CHECK(join_command(result.argv) == "node node_modules/.bin/../serve/build/main.js -l 80");
  CHECK(result.environment ==
        decltype(result.environment){{"NODE_PATH", "/app/node_modules/.pnpm/node_modules:/own"}});
}

TEST_CASE("a launcher of Bun or Deno is run by it when a cluster is asked for") {
  const Files files(
      {{"/app/serve", "#!/usr/bin/env bun\n"}, {"/app/deny", "#!/usr/bin/env -S deno run -A\n"}});
  CHECK(join_command(launch("/app/serve a", files, Mode::cluster).argv) == "bun /app/serve a");
  CHECK(join_command(launch("/app/deny", files, Mode::cluster).argv) == "deno run -A /app/deny");
  CHECK(is_run_as_it_is(launch("/app/serve a", files)));
  CHECK(join_command(launch("/app/serve a", files).argv) == "/app/serve a");
}

TEST_CASE("a workspace is found by the name of its package, or by its folder") {
  class Folders final : public FileReader {
   public:
    Result<std::string> read(std::string_view path) const override { return files_.read(path); }
    bool is_directory(std::string_view path) const override { return files_.is_directory(path); }
    std::vector<std::string> folders_in(std::string_view path) const override {
      return path == "/app/packages" ? std::vector<std::string>{"api", "web"}
                                     : std::vector<std::string>{};
    }
    Files files_{{{"/app/package.json", R"({"workspaces":["packages/*"]})"},
                  {"/app/packages/api/package.json",
                   R"({"name":"@x/api","scripts":{"start":"node api.js"}})"},
                  {"/app/packages/web/package.json",
                   R"({"name":"web","scripts":{"start":"node web.js"}})"}}};
  } const files;
  for (const char* command :
       {"npm start -w web", "npm --workspace=packages/web start", "npm run start --workspace web",
        "pnpm --filter web start", "pnpm -F ./packages/web run start", "yarn workspace web start",
        "yarn workspace web run start"}) {
    INFO(command);
    const std::vector<std::string> words = *split_command(command);
    const Launch result = resolve_launch({.command = words, .directory = "/app"}, files);
    CHECK(join_command(result.argv) == "node web.js");
    CHECK(result.directory == "/app/packages/web");
    CHECK(result.advice.empty());
  }
  const std::vector<std::string> unscoped = {"pnpm", "--filter", "api", "start"};
  CHECK(resolve_launch({.command = unscoped, .directory = "/app"}, files).directory ==
        "/app/packages/api");
  for (const char* command :
       {"pnpm --filter 'web...' start", "pnpm -F '*' start", "npm start -w other"}) {
    INFO(command);
    const std::vector<std::string> words = *split_command(command);
    CHECK(is_run_as_it_is(resolve_launch({.command = words, .directory = "/app"}, files)));
  }
}

TEST_CASE("sh -c with one plain command is looked through, a login shell is not") {
  for (const char* command :
       {"sh -c 'exec node x.js'", "bash -ec 'node x.js'", "sh -e -c 'node x.js' name more"}) {
    INFO(command);
    CHECK(join_command(launch(command).argv) == "node x.js");
  }
  for (const char* command : {"bash -lc 'node x.js'", "bash -x -c 'node x.js'", "sh -c"}) {
    INFO(command);
    CHECK(is_run_as_it_is(launch(command)));
  }
}

TEST_CASE("what may start Node is told of once, what does not is quiet") {
  const Files files({{"/app/start.sh", "#!/bin/sh\nset -e\nnode server.js\n"},
                     {"/app/quiet.sh", "#!/bin/sh\n# not node\necho $NODE_ENV node_modules\n"},
                     {"/app/dotenv", "#!/usr/bin/env node\n"}});
  for (const char* command :
       {"./start.sh", "sh start.sh", "sh -e /app/start.sh", "bash -lc 'node x.js'",
        "sh -c 'node a.js && node b.js'", "./quiet.sh node app.js", "gosu app node app.js",
        "/app/dotenv -- node app.js", "node --watch app.js",
        "node -e 'http.createServer().listen(80)'"}) {
    INFO(command);
    const std::vector<std::string> words = *split_command(command);
    const Launch off =
        resolve_launch({.command = words, .directory = "/app", .adopt = false}, files);
    CHECK(off.mode == Mode::single);
    CHECK(off.note.find("NODEINIT_MODE=single") != std::string::npos);
    const Launch on = launch(command, files);
    CHECK(on.adopts != (on.note == off.note));  // one of node itself stays one process either way
    CHECK(launch(command, files, Mode::single).note.empty());
  }
  for (const char* command :
       {"./quiet.sh", "sh quiet.sh", "sh", "bash -l", "sleep 1", "python3 app.py", "./server",
        "node", "node -v", "node -e 1", "npm install", "sh -c 'sleep 1; exit 3'"}) {
    INFO(command);
    CHECK(launch(command, files).note.empty());
  }
}

TEST_CASE("what cannot be looked through runs as it is, and the message names the fix") {
  const auto advice = [](std::string_view start) {
    const std::vector<std::string> words{"npm", "start"};
    const Files files = start.empty() ? Files{} : package(start);
    const Launch result =
        resolve_launch({.command = words, .directory = "/app", .adopt = false}, files);
    CHECK(result.mode == Mode::single);
    CHECK(result.argv == words);
    return result.advice;
  };
  CHECK(advice(R"("start":"node a.js & node b.js")").find("shell") != std::string::npos);
  CHECK(advice(R"("prestart":"x","start":"node a.js")").find("prestart") != std::string::npos);
  CHECK(advice(R"("start":"tsx app.ts")").find("node --import tsx") != std::string::npos);
  CHECK(advice("").find("no package.json") != std::string::npos);
  CHECK(advice(R"("start":"npm start")").empty());
}

TEST_CASE("a mode that was asked for is obeyed") {
  CHECK(is_run_as_it_is(launch("node server.js", {}, Mode::single)));
  CHECK(launch("./server", {}, Mode::cluster).mode == Mode::cluster);
}

TEST_CASE("only plain shell commands are taken apart") {
  CHECK(parse_plain_command("exec node 'a b.js' \"c\\\"d\" e\\ f")->words ==
        std::vector<std::string>{"node", "a b.js", "c\"d", "e f"});
  for (const char* text : {"", "node $X", "node \"$X\"", "a | b", "a; b", "a > b", "node *.js",
                           "(a)", "'a", "cd x", "A=b", "a `b`", "node a.js # x"}) {
    INFO(text);
    CHECK_FALSE(parse_plain_command(text));
  }
}

TEST_CASE("the module inside is left out where a --require ends the program at its start") {
  const auto allowed = [](std::vector<std::string> argv, std::string_view options = "") {
    return allows_module(argv, options);
  };
  CHECK(allowed({"node", "a.js"}));
  CHECK(allowed({"node", "--permission", "a.js"}, "--permission"));
  CHECK_FALSE(allowed({"node", "--experimental-permission", "a.js"}));
  CHECK_FALSE(allowed({"node", "--experimental-policy=p.json", "a.js"}));
  CHECK_FALSE(allowed({"node", "a.js"}, "--trace-warnings --experimental-policy=p.json"));
}

TEST_CASE("Bun and Deno are one process unless a cluster is asked for, and that is said") {
  for (const char* command : {"bun server.js", "/usr/bin/deno run -A server.ts"}) {
    INFO(command);
    CHECK(is_run_as_it_is(launch(command)));
    CHECK(launch(command).advice.find("NODEINIT_MODE=cluster") != std::string::npos);
    for (const Mode mode : {Mode::cluster, Mode::single}) {
      CHECK(launch(command, {}, mode).mode == mode);
      CHECK(launch(command, {}, mode).advice.empty());
    }
  }
}

TEST_CASE("Deno gets its connections one by one") {
  CHECK(balance_for("/usr/bin/deno", Balance::kernel) == Balance::round_robin);
  CHECK(balance_for("node", Balance::kernel) == Balance::kernel);
}

TEST_CASE("each option of node that takes the next word is in the one table") {
  for (const std::string_view option :
       {"--v8-pool-size", "--require", "-r", "--test_reporter", "--watch-path", "--eval", "-pe"}) {
    INFO(option);
    CHECK(takes_next_word(option));
  }
  CHECK_FALSE(takes_next_word("--v8-pool-size=2"));
  CHECK_FALSE(takes_next_word("--max-old-space-size"));
  CHECK_FALSE(takes_next_word("--inspect"));
}
