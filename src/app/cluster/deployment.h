#pragma once

// From what the user wrote to what can be started: commands looked through to the node command
// behind them, the container's limits planned into workers and heaps, one launcher for each
// program. Done at the start, for --explain, when a limit changes and again at a reload; nothing is
// started here.
//
// All that is known of one program stands in one value, so that a reload or a resize replaces it as
// one, and nobody has to keep lists in step.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/adoption/adopted.h"
#include "app/cluster/launcher.h"
#include "app/invocation/options.h"
#include "core/container/resources.h"
#include "core/sizing/plan.h"
#include "core/supervision/supervisor.h"

namespace ni::app {

struct Remark {
  LogLevel level;
  std::string text;
};

struct DeployedProgram {
  ProgramId id;
  ProgramConfig config;  // the command that is really run, where, with which variables
  Plan plan;
  unsigned planned_workers =
      1;  // by configuration and limits; the plan is for `asked`, if there is one
  // What people have asked for since (ctl scale, SIGTTIN). It holds until the configuration or the
  // limits want another number than the one that it stands for.
  struct Asked {
    unsigned workers = 1;
    unsigned instead_of = 1;
  };
  std::optional<Asked> asked = {};
  std::string reason;                // why it is one process, or many
  std::optional<Launcher> launcher;  // cluster mode only
  bool adopts = false;               // whoever listens first below the command is the program:
  std::optional<AdoptedProcess> adopted = {};
  std::optional<Bytes> memory_allowed;  // NODEINIT_MAX_MEMORY of each worker, in bytes

  // Since the container started: a reload keeps them.
  std::uint64_t rollouts_succeeded = 0;
  std::uint64_t rollouts_failed = 0;

  // The same program, read or planned again; what was counted stays, and who was adopted.
  void replace(DeployedProgram again);
  // From now on workers are started as that process was.
  void adopt(AdoptedProcess process);
  bool waits_to_adopt() const { return adopts && !adopted; }
  // What a new plan is started with, of the release that runs.
  void take_launcher(DeployedProgram& again);
  ProgramPlan for_supervisor() const;
  // A share of a memory limit that the container does not have: workers cannot be watched.
  bool lacks_memory_limit() const { return config.max_memory && !memory_allowed; }
};

struct Deployment {
  Mode mode = Mode::single;  // cluster or single
  Config container;          // without its programs, which are these:
  std::vector<DeployedProgram> programs;
  std::vector<Remark> remarks;  // how commands were looked through, and advice; for the log

  DeployedProgram& of(ProgramId program) { return programs[program.value]; }
  const DeployedProgram& of(ProgramId program) const { return programs[program.value]; }
  std::vector<Plan> plans() const;
  SupervisorSettings for_supervisor() const;
  // The container's with its programs', as a person would have to write it: for --explain.
  Config whole_config() const;
};

// The command is no business of a cluster, and there is nothing to tell about that: the limits of
// the container need not be read. False: deploy() says.
bool is_plainly_single(const Invocation& invocation);

// Error: users whom a process of ours cannot become, workers' and hooks'. Before anything is started; --explain may be
// asked by anybody.
Result<void> users_can_be_had(const Deployment& deployment);

// Error: a user that the image does not know. `before`: what runs, for what people have asked of it.
Result<Deployment> deploy(const Invocation& invocation, const Resources& resources,
                          const Deployment* before = nullptr);

}  // namespace ni::app
