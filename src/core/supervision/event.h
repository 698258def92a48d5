#pragma once

// Everything the supervisor can be told. An event about a worker carries its incarnation: one that
// comes late, when another worker has taken the slot, names a worker that is gone and is dropped.

#include <compare>
#include <cstdint>
#include <string>
#include <variant>

#include "base/exit_status.h"
#include "base/signal.h"
#include "base/types.h"

namespace ni {

// Index into Config::programs.
struct ProgramId {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const ProgramId&) const = default;
};

// Where a server listens: two that name the same place share their clients. Ports are those that
// the program asked for, 0 is one of the system's choice.
struct ServerPlace {
  std::uint64_t id = 0;  // 0: not known
  int port = -1;         // for people; -1: none
  bool operator==(const ServerPlace& other) const { return id == other.id; }
  auto operator<=>(const ServerPlace& other) const { return id <=> other.id; }
};

namespace event {

// The answers to action::Spawn.
struct Spawned {
  Incarnation worker;
  Pid pid;
};
struct SpawnFailed {
  Incarnation worker;
  int exit_code;        // 127 not found, 126 not executable or any other failure
  std::string reason;   // "cannot execute node: No such file or directory"
  bool lacked = false;  // something that may come back: processes, memory, descriptors
};

// A process below the worker's command is about to listen, and has a channel from now on.
struct Adopted {
  Incarnation worker;
  bool module_inside;  // its siblings have the module that can retire them
};

// What the worker says over its channel (facts of Node's cluster protocol:
// wire/cluster_messages.h).
struct Online {
  Incarnation worker;
};
struct AskedForSocket {  // its first queryServer that got a socket: it is a server
  Incarnation worker;
};
struct Listening {  // one server more
  Incarnation worker;
  bool tcp;
  bool by_itself = false;  // on a socket that is not ours
  ServerPlace place = {};
};
// It listens on pipes or UDP ports alone, and has for a while: they count for its readiness, too.
// (Not at once: tools listen on a pipe of their own before the server they start does.)
struct ServesWithoutTcp {
  Incarnation worker;
};
struct ServerClosed {  // one server fewer
  Incarnation worker;
  bool tcp;
};
struct SaidReady {  // process.send('ready')
  Incarnation worker;
};
// process.send({type: 'nodeinit:not-ready', reason}): nothing more for it until it says
// 'nodeinit:ready'.
struct SaidAvailable {
  Incarnation worker;
  bool ready;
  std::string reason = {};
};
struct Leaving {  // exitedAfterDisconnect: the program itself called disconnect() or kill()
  Incarnation worker;
};
// What the module inside says of a worker that was asked to retire (wire/cluster_messages.h).
struct Retires {  // it has heard
  Incarnation worker;
  std::optional<Signal> handles;  // the signal that the program will be given; nullopt: none
  std::uint64_t open = 0;         // requests in flight
};
struct Answered {  // no request is in flight, only idle connections are left
  Incarnation worker;
};
struct Quiet {  // nothing is in flight, and the program handles no signal
  Incarnation worker;
};
struct Signalled {  // the module has given the program its signal
  Incarnation worker;
  std::uint64_t open;  // requests in flight then
};
struct LeavesByItself {  // it has closed its servers unasked: it had its signal from elsewhere
  Incarnation worker;
};
struct ServesOn {  // after its signal, with nothing in flight
  Incarnation worker;
};
// No module answers in it: it is older than that, another runtime's, or deaf.
struct CannotRetire {
  Incarnation worker;
};
// The program asked for cluster.isPrimary, in that line of its code.
struct AskedForPrimary {
  Incarnation worker;
  std::string where;
};
struct ChannelClosed {
  Incarnation worker;
};

// What guards have seen.
struct Unresponsive {
  Incarnation worker;
  Duration silent_for;
  std::string diagnosis = {};  // where its main thread is (core/deaths/hang_diagnosis.h)
};
struct OverMemory {
  Incarnation worker;
  Bytes used;
  Bytes allowed;
};
// HTTP requests that it has had since it began.
struct Served {
  Incarnation worker;
  std::uint64_t requests;
};
// Its event loop has answered late all the time, and those of others have not.
struct SlowLoop {
  Incarnation worker;
  Duration delay;  // the latest
};

// There are more workers by now, and it was started with a heap that is more than its part.
struct HeapTooLarge {
  Incarnation worker;
};

struct Exited {  // from waitpid(2): any process, ours or an orphan
  Pid pid;
  ExitStatus status;
  bool out_of_memory = false;  // the kernel's OOM killer, as memory.events tells
  std::string last_words;      // end of its standard error, for the message; may be empty
};

// To be passed on to the workers (core/supervision/signal_policy.h has decided that it is neither a
// stop nor a reload).
struct ForwardSignal {
  Signal signal;
  std::optional<SignalValue> value = std::nullopt;  // it was queued with it
  bool whole_group = false;
  bool first_slot_only = false;
};

struct DeadlineReached {};  // now ≥ next_deadline()

// The container was resized, or a person asked: so many workers from now on.
struct TargetChanged {
  ProgramId program;
  unsigned workers;
};
struct ScaleBy {
  ProgramId program;
  int workers;  // +1, -1; never below one
};
struct ReloadAsked {};
struct RestartAsked {
  ProgramId program;
  SlotId slot;
};
// Twice is quick: the same wish again, at least Supervisor::kAgain later, cuts the drain short.
// Another kind of wish (`ctl stop` of a preStop hook, then the platform's SIGTERM) does not hurry.
struct StopAsked {
  bool quick = false;
  std::string why;                              // "SIGTERM", "nodeinit ctl stop"
  std::optional<Signal> signal = std::nullopt;  // that has come, for the workers, too
};
// waitpid(2) has nobody left to wait for.
struct NobodyLeft {};

}  // namespace event

using Event = std::variant<
    event::Spawned, event::SpawnFailed, event::Adopted, event::Online, event::AskedForSocket,
    event::Listening, event::ServesWithoutTcp, event::ServerClosed, event::SaidReady,
    event::SaidAvailable, event::Leaving, event::Retires, event::Answered, event::Quiet,
    event::Signalled, event::LeavesByItself, event::ServesOn, event::CannotRetire,
    event::AskedForPrimary, event::ChannelClosed, event::Unresponsive, event::OverMemory,
    event::Served, event::SlowLoop, event::HeapTooLarge, event::Exited, event::ForwardSignal,
    event::DeadlineReached, event::TargetChanged, event::ScaleBy, event::ReloadAsked,
    event::RestartAsked, event::StopAsked, event::NobodyLeft>;

}  // namespace ni
