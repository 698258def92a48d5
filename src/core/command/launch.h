#pragma once

// What is really to be run, and in which mode. `npm start` is npm, which would swallow the IPC
// channel and keep the application as an ordinary grandchild; so `npm start`, `npm run X`, yarn,
// pnpm, npx, `node --run X`, `sh -c "…"` and launchers (a file whose first line names node, as in node_modules/.bin)
// are looked through, down to the node command that they would run. What cannot be looked through (a shell's doing, pre
// and post scripts, a tool that starts processes of its own) is run as it is, as one worker, and `advice` or `note` says
// what to do.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/environment.h"
#include "base/file_reader.h"
#include "core/settings/config.h"

namespace ni {

struct LaunchQuestion {
  std::span<const std::string> command;  // as the user wrote it, not empty
  Mode mode = Mode::automatic;
  std::string_view directory;  // absolute: where it is run
  std::string_view path;       // its PATH
  std::string_view node_path;  // its NODE_PATH
  std::string_view job;        // sign_of_job() of its environment
  bool adopt = true;           // NODEINIT_ADOPT
};

struct Launch {
  Mode mode = Mode::single;       // cluster or single
  std::vector<std::string> argv;  // what to run
  bool node = false;              // argv[0] is node and argv[script] its script
  std::size_t script = 0;
  std::vector<std::string> path;                                 // folders to put before PATH's
  std::vector<std::pair<std::string, std::string>> environment;  // to be added
  std::string directory;  // to be run there; empty: where we are
  std::string reason;     // "node with the script server.js", "npm start runs `node server.js`"
  std::string advice;     // not empty: a warning that names the fix
  bool adopts = false;  // cluster: run as it is, and whoever listens first below it is the program
  std::string note;  // not empty: why what may start Node stays one process, and what changes that
};

// The variable by which the platform says that this container is a job, to be run once (an indexed
// Job of Kubernetes, a job of Cloud Run, AWS Batch or Azure Container Apps, a Lambda function, a
// one-off dyno); empty: none.
std::string_view sign_of_job(const Environment& environment);

// Deno speaks the cluster protocol but never accepts on a socket that it is given: whatever was
// asked for, its connections must be handed over one by one. (Checked: 2.9.6.)
Balance balance_for(std::string_view program, Balance asked);

Launch resolve_launch(const LaunchQuestion& question, const FileReader& files);

}  // namespace ni
