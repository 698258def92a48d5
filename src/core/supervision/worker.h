#pragma once

// One process from spawn to reap. A worker only moves forward; what it was is never undone:
//
//   state ↓ input →  promoted  ready  deadline     retire       stop         terminate    closed       kill     exited
//   parked           starting  ·      ·            terminating  terminating  terminating  ·            killing  dead
//   starting         ·         ready  terminating  terminating  terminating  terminating  ·            killing  dead
//   ready            ·         ·      ·            retiring     draining     terminating  draining     killing  dead
//   retiring         ·         ·      draining     ·            draining     terminating  draining     killing  dead
//   draining         ·         ·      terminating  ·            ·            terminating  terminating  killing  dead
//   terminating      ·         ·      killing      ·            ·            ·            ·            killing  dead
//   killing          ·         ·      killing      ·            ·            ·            ·            ·        dead
//   dead             ·         ·      ·            ·            ·            ·            ·            ·        ·
//
// Three polite ends and a short one. `retire` (NODEINIT_STOP=auto): quiet first, then the signal.
// The module inside sees that nothing new comes in, with the program's servers open in its own
// eyes, and gives the program its signal once nothing is in flight; the deadline of `retiring` is
// for what is no request (streams). `stop` (NODEINIT_STOP=drain, or no module answers): Node's
// `disconnect`. `terminate`: the signal at once (NODEINIT_STOP=signal, a quick stop, a worker that
// does not answer, and whoever is done). The channel of a ready worker closes when the program
// itself disconnects; that of a draining one when its last connection has ended (node
// lib/internal/cluster/child.js _disconnect()): both go one step on.
// What is done on entering a state stands in supervisor_retirement.cpp, Supervisor::enter().

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/exit_status.h"
#include "base/signal.h"
#include "base/types.h"
#include "core/supervision/event.h"

namespace ni {

enum class WorkerState : std::uint8_t {
  parked,
  starting,
  ready,
  retiring,
  draining,
  terminating,
  killing,
  dead
};
inline constexpr std::size_t kWorkerStates = 8;

enum class WorkerInput : std::uint8_t {
  promoted,
  ready,
  deadline,
  retire,
  stop,
  terminate,
  channel_closed,
  kill,
  exited
};
inline constexpr std::size_t kWorkerInputs = 9;

std::string_view to_string(WorkerState state);

struct Worker;
// The same, and "unavailable" for one that is ready but for its own word.
std::string_view shown_state(const Worker& worker);

// Where an input leads; nullopt: the worker stays and nothing is done. `killing` is entered again
// by its deadline: SIGKILL is sent until the process is gone.
std::optional<WorkerState> next_state(WorkerState state, WorkerInput input);

// Why we ended a worker; `not_asked` while we have not.
enum class EndReason : std::uint8_t {
  not_asked,
  container_stop,
  scaled_down,
  replaced,  // its successor is ready, or takes its place (reload, restart, age, memory)
  rollout_failed,
  never_ready,
  unresponsive
};

struct Worker {
  Incarnation incarnation;
  ProgramId program;
  SlotId slot;            // meaningless while `spare`
  unsigned instance = 0;  // NODE_APP_INSTANCE: the lowest number free when it was spawned
  std::optional<unsigned> inspector;  // number of its inspector's port: the instance, unless taken
  bool signal_group = false;          // as its program's plan was when it was made
  bool module_inside = false;         // the same
  bool spare = false;                 // parked, or ended before it was promoted: it has no slot
  WorkerState state = WorkerState::starting;
  std::optional<Pid> pid;  // from Spawned on
  Instant spawned_at;
  std::optional<Instant> ready_at;
  std::optional<Instant> deadline;   // of the state it is in; while ready: stable, or of its age
  std::optional<Instant> retire_at;  // NODEINIT_MAX_AGE
  std::optional<std::uint64_t> most_requests;  // NODEINIT_MAX_REQUESTS, its own
  std::optional<Instant> kill_by;  // set when its end was asked for: SIGKILL then at the latest
  EndReason end_reason = EndReason::not_asked;
  bool heap_too_large =
      false;            // while a successor: planned for fewer workers than there are by now
  bool chain = false;   // a command that is not the program itself, which may stand below it
  bool online = false;  // it has spoken over its channel
  bool asked_for_socket = false;
  bool said_ready = false;              // process.send('ready')
  bool unavailable = false;             // it said nodeinit:not-ready last
  unsigned times_told = 0;              // of its changes of mind
  bool ready_but_for_its_word = false;  // while unavailable and not ready yet
  bool listens_by_itself = false;       // with sockets that are not ours
  bool leaving = false;             // the program itself said that it goes (exitedAfterDisconnect)
  bool had_to_kill = false;         // SIGKILL was sent by us
  bool hears = false;               // the module inside has heard that it is to retire
  bool deaf = false;                // no module answers in it
  bool retire_asked = false;        // of the module inside
  bool leaves = false;              // the module: it has closed its servers unasked
  std::optional<Signal> handles;    // the module: the stop signal that the program handles
  std::uint64_t open_requests = 0;  // the module: in flight, as it said last
  Instant asked_at;                 // to end
  bool signalled = false;           // the module has given it the signal: it is not sent twice
  bool last_lines = false;          // the program below is gone, its command has yet to end
  bool lingers = false;             // retiring, and only idle connections are left
  bool lacked = false;  // it could not be started for want of something that may come back
  bool stable = false;  // has been ready for kMinimumUptime
  unsigned tcp_servers = 0;
  unsigned other_servers = 0;       // pipes, UDP
  bool counts_others = false;       // it has no other kind
  std::vector<ServerPlace> places;  // TCP, wherever it has listened, the first kMostPlaces
  bool elsewhere = false;           // and its siblings have listened at none of them
  std::optional<Instant> listens_otherwise_since;  // the latest of them
  bool counts_servers =
      false;  // READY=listen: without a server it is not ready, whatever its state

  // That its clients reach it by.
  unsigned servers() const { return tcp_servers + (counts_others ? other_servers : 0); }
  // We ended it, for no fault of its own.
  bool was_asked_to_end() const {
    using enum EndReason;
    return end_reason != not_asked && end_reason != never_ready && end_reason != unresponsive;
  }
  // It can take connections now: one that has closed its last server while running cannot.
  bool can_serve() const {
    return state == WorkerState::ready && (!counts_servers || servers() > 0);
  }
  // And it wants to.
  bool is_ready() const { return can_serve() && !unavailable; }
  // On its way to be ready, or ready: it holds its slot.
  bool is_rising() const { return state <= WorkerState::ready; }
};

// What an end says of why things go wrong.
enum class Ending : std::uint8_t {
  in_order,  // by itself with code 0, or because we have asked for it
  failed,    // nobody has asked for it; or we had to, for a fault of its own
  cut_short  // it did not end in time when the container stopped
};

Ending ending_of(const Worker& worker, ExitStatus status);

}  // namespace ni
