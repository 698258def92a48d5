#pragma once

// From what the user wrote to what can be started: commands looked through to the node command
// behind them, the container's limits planned into workers and heaps, one launcher for each
// program. Done at the start, for --explain, and again at a reload; nothing is started here.

#include <string>
#include <vector>

#include "app/cluster/launcher.h"
#include "app/invocation/options.h"
#include "core/container/resources.h"
#include "core/sizing/plan.h"

namespace ni::app {

struct Remark {
  LogLevel level;
  std::string text;
};

struct Prepared {
  Mode mode = Mode::single;  // cluster or single
  Config config;  // of each program: the command that is really run, where, with which variables
  std::vector<Plan> plans;
  std::vector<Launcher> launchers;  // cluster mode only
  std::vector<Remark> remarks;      // how commands were looked through, and advice; for the log
};

// The command is no business of a cluster, and there is nothing to tell about that: the limits of
// the container need not be read. False: prepare() says.
bool is_plainly_single(const Invocation& invocation);

// Error: a user that the image does not know.
Result<Prepared> prepare(const Invocation& invocation, const Resources& resources);

}  // namespace ni::app
