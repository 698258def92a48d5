#pragma once

// Everything the supervisor can want. Actions are performed in their order by a Host
// (app/cluster/runtime, or the simulation); what comes of them comes back as events.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/settings/config.h"
#include "core/supervision/event.h"

namespace ni {
namespace action {

// Answered by event::Spawned or event::SpawnFailed.
struct Spawn {
  Incarnation worker;
  ProgramId program;
  SlotId slot;         // meaningless when parked
  unsigned instance;   // NODE_APP_INSTANCE, NODEINIT_SLOT
  unsigned slots;      // NODEINIT_SLOTS
  unsigned inspector;  // number of its inspector's port, counted from the program's
  bool alone;          // the first of its program: whether it is a server is not known yet
  bool chain;          // the command as it is, with no channel: who listens first below is adopted
  bool parked;         // a spare: its questions for sockets are not answered until Promote
};
// A command of the container itself and not of a program, run once. It has an incarnation like a
// worker, is answered by event::Spawned or event::SpawnFailed and ends in event::Exited.
struct RunHook {
  Incarnation process;
  Hook hook;
};
struct Promote {
  Incarnation worker;
  SlotId slot;
};
// Quiet first, then the signal: the module inside is asked to see that nothing new comes in, and to
// give the program its signal once nothing is in flight. Answered by event::Retires and those
// after.
struct Retire {
  Incarnation worker;
  Signal signal;
  bool fixed;  // the user chose the signal: no other one will do
  bool stop;   // the container ends
  bool late;   // asked before: now streams and idle connections are not waited for any more
  bool stays;  // the process is not to end before the container does
};
// The `disconnect` act: stop accepting, finish what runs, then close the channel.
struct Disconnect {
  Incarnation worker;
};
struct SendSignal {
  Incarnation worker;
  Pid pid;
  Signal signal;
  bool whole_group;
  std::optional<SignalValue> value = std::nullopt;  // of a queued one
};
// The worker was reaped: its channel, its place in the accept queues and its log pipes can go, and
// what is left of its process group is asked to end (SIGTERM).
struct Forget {
  Incarnation worker;
  ProgramId program;
  Pid pid;
};
// From now on connections go to these workers of the program only, in the order of their slots.
struct Serve {
  ProgramId program;
  std::vector<Incarnation> workers;
};
struct SetSlots {
  ProgramId program;
  unsigned slots;
};
// The container stops: what has connected is still served, who comes from now on is refused. Before
// the workers are told to disconnect.
struct StopAccepting {};
// No more connections: the container ends, or that program has ended for good.
struct CloseListeners {
  std::optional<ProgramId> program = std::nullopt;
};
// To every process that is left in our PID namespace or, if we are not PID 1, below us.
struct SignalRemaining {
  Signal signal;
};
// How a rollout ended: `nodeinit ctl reload` waits for it.
struct RolloutEnded {
  ProgramId program;
  bool succeeded;
  std::string reason;  // why it failed; of one that succeeded: what was lost
};
// One life event for people and machines.
struct Report {
  LogLevel level;
  std::string_view event;  // stable name, e.g. "worker_ready"; a literal
  std::string message;     // in full, core/supervision/told.h
  std::optional<ProgramId> program;
  std::optional<SlotId> slot;
  std::optional<Pid> pid;
  std::optional<std::string> plain{};  // where it differs: without what a program has said itself
};
// The container ends. Always the last action.
struct Finish {
  int exit_code;
  std::string reason;
};

}  // namespace action

using Action =
    std::variant<action::Spawn, action::RunHook, action::Promote, action::Retire,
                 action::Disconnect, action::SendSignal, action::Forget, action::Serve,
                 action::SetSlots, action::StopAccepting, action::CloseListeners,
                 action::SignalRemaining, action::RolloutEnded, action::Report, action::Finish>;
using Actions = std::vector<Action>;

// The seam towards the world.
class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;
  virtual void perform(const Action& action) = 0;
};

}  // namespace ni
