#pragma once

// Starting a worker: from a program's configuration and plan to a process with its channel, its
// heap flags and its variables. What is the same for all workers of a program is prepared once, at
// the start and at a reload.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/adoption/adopted.h"
#include "app/connections/data_plane.h"
#include "base/environment.h"
#include "core/command/inspector.h"
#include "core/command/launch.h"
#include "core/sizing/plan.h"
#include "core/supervision/action.h"
#include "sys/process.h"

namespace ni::app {

// Descriptors that a worker gets besides 0–2; -1: our own 1 and 2 are passed on.
struct WorkerOutput {
  int out = -1;
  int err = -1;
};

// What a worker has of the container's surroundings.
struct WorkerPlace {
  int in = -1;             // its standard input; -1: ours
  int foreground_of = -1;  // a terminal; -1: none
  std::optional<sys::DescriptorLimit> descriptor_limit;
  std::string module;  // path of the module inside; empty: there is none
};

using BegunStart = std::variant<sys::Starting, sys::SpawnFailure>;

// What a process of `config` finds in its environment; `own` is nodeinit's.
Environment environment_for(const ProgramConfig& config, const Environment& own);

// A command of the container itself: with the directory, user and environment of the top level, in
// a process group of its own. Error: a user that the image does not know.
Result<BegunStart> start_hook(const std::vector<std::string>& command,
                              const ProgramConfig& top_level, const Environment& own,
                              WorkerOutput output, const WorkerPlace& place);

class Launcher {
 public:
  // `environment` is nodeinit's own. Error: a user that the image does not know.
  static Result<Launcher> prepare(const ProgramConfig& config, const Launch& launch,
                                  const Plan& plan, const Environment& environment);

  // Of the siblings of an adopted process.
  static Launcher as_adopted(const ProgramConfig& config, const AdoptedProcess& process,
                             const Plan& plan);

  // The command as it is, without a channel; whoever listens first below it asks at `adopted_by`
  // (AdoptionServer::address()).
  BegunStart start_chain(const action::Spawn& spawn, std::string_view adopted_by,
                         WorkerOutput output, const WorkerPlace& place) const;

  // `channel` becomes the worker's end of the cluster channel; borrowed, as `output` is.
  BegunStart start(const action::Spawn& spawn, int channel, WorkerOutput output,
                   const WorkerPlace& place) const;

  // SIGTERM goes to the whole process group: the command is a wrapper that would keep it to itself.
  bool signals_group() const { return !is_node_; }
  bool is_node() const { return is_node_; }
  // It was prepared anew while another one's workers run, and is not to lead elsewhere than that.
  void stay_in_release_of(const Launcher& other) {
    if (directory_ == other.directory_) {
      resolved_ = other.resolved_;
    }
  }
  // Whom its workers run as; nullopt: as we do.
  const std::optional<UserIds>& user() const { return user_; }
  // Not only by its name: Bun and Deno may be called node, too.
  bool is_known_node() const { return is_known_node_; }
  // Where the inspector of the worker with that number listens if it is open; without an option it
  // opens at Node's own port (SIGUSR1, inspector.open()).
  int inspector_port(unsigned number) const {
    return inspector_ ? ni::inspector_port(*inspector_, number) : Inspector{}.port;
  }
  // Its workers get the module inside (src/inside).
  bool has_module() const { return module_at_ > 0; }
  // And it can count there: Node 18.18 and newer.
  bool counts_connections() const { return counts_connections_; }

 private:
  Launcher() = default;
  void take_node(bool module_inside, std::size_t words_of_command);
  BegunStart start(const std::vector<std::string>& argv, Environment environment,
                   const action::Spawn& spawn, std::vector<sys::DescriptorMapping> descriptors,
                   const WorkerPlace& place) const;
  std::vector<std::string> command_of(const action::Spawn& spawn, const std::string& module) const;

  std::vector<std::string> argv_;
  std::vector<std::string> slot_variables_;
  Environment environment_;
  std::optional<std::string> directory_;
  std::optional<std::string> resolved_;  // where directory_ led when it was prepared
  std::optional<UserIds> user_;
  std::optional<int> oom_score_adj_;    // above ours; nullopt: as ours
  std::optional<Inspector> inspector_;  // of argv_
  std::size_t module_at_ = 0;           // where its path stands in argv_; 0: nowhere
  bool is_node_ = false;
  bool is_known_node_ = false;
  bool counts_connections_ = false;
};

}  // namespace ni::app
