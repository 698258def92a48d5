#pragma once

// The data plane: workers' channels, the sockets they listen on, and connections handed over. It
// performs what the cluster primary (core/primary/primary.h) decides, and tells the supervisor what
// workers say, by events alone.
//
//   plane.open_channel(w, {program, slot})   → the worker's end, to be its descriptor 3, with
//       NODE_CHANNEL_FD=3  NODE_CHANNEL_SERIALIZATION_MODE=json  NODE_UNIQUE_ID=<incarnation>
//   events Online, AskedForSocket, Listening, SaidReady … arrive; the supervisor finds it ready:
//   plane.set_serving(program, {w, …})       only these get connections
//   plane.disconnect(w)                      drains; ChannelClosed when its last request is answered
//   plane.forget(w)                          it was reaped
//
// The sink is called while the data plane is at work: it must only queue the event, not call back.

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/connections/listen_sockets.h"
#include "base/result.h"
#include "base/user_ids.h"
#include "core/primary/primary.h"
#include "core/settings/config.h"
#include "core/supervision/action.h"
#include "core/supervision/event.h"
#include "loop/channel.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "sys/starting_directory.h"

namespace ni::app {

struct DataPlaneSettings {
  std::vector<Primary::Program> programs;     // by ProgramId
  std::vector<std::optional<UserIds>> users;  // by ProgramId; nullopt: our own
  // Descriptors of our own parent which a program may listen on (LISTEN_FDS): socket activation.
  std::vector<int> inherited;
  // Where a relative path of a listen is meant; nullptr: here. Outlives the data plane.
  const sys::StartingDirectory* directory = nullptr;
  // A sentence for the log, where something failed and we go on.
  std::function<void(std::string_view)> warn;
  // A worker's answer to ask_for_metrics(); empty: it was too long.
  std::function<void(Incarnation, std::string_view)> metrics_answered;
  // A worker has told its figures: the answer to ask_connections(), or unasked. It may be asked for
  // its metrics then, and nothing else.
  std::function<void(const primary_action::Counted&)> counted;
};

// Lines of workers' channels that went no further.
struct ChannelCounters {
  std::uint64_t user_messages = 0;  // what programs said by process.send()
  std::uint64_t dropped_lines = 0;  // ours, to workers that do not read
};

class DataPlane {
 public:
  using Sink = std::function<void(Event)>;

  DataPlane(uv_loop_t* loop, DataPlaneSettings settings, Sink sink);
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;
  ~DataPlane();  // the loop must still turn once for libuv's handles to be closed

  Result<sys::UniqueFd> open_channel(Incarnation worker, Place place);
  // Our end of a channel that is there already.
  void attach_channel(Incarnation worker, Place place, sys::UniqueFd ours);
  // A parked worker takes a slot: what it asked for is answered now.
  void promote(Incarnation worker, SlotId slot);
  void retire(Incarnation worker, const action::Retire& wish);
  void disconnect(Incarnation worker);
  void set_serving(ProgramId program, std::span<const Incarnation> workers);
  void set_slots(ProgramId program, unsigned slots);
  void set_user(ProgramId program, std::optional<UserIds> user);
  void forget(Incarnation worker);
  void ask_for_metrics(Incarnation worker, std::string_view request);
  // False: it cannot tell.
  bool ask_connections(Incarnation worker);
  ChannelCounters channel_counters() const;
  const ConnectionCounters& connections(ProgramId program) const {
    return primary_.connections(program);
  }
  // The event loop's delays of a live worker, if they are measured; nullptr: no such worker.
  const LoopDelay* loop_delay(Incarnation worker) const { return primary_.loop_delay(worker); }
  Duration latest_loop_delay(Incarnation worker, Instant now) const {
    return primary_.latest_loop_delay(worker, now);
  }
  bool handles_usr1(Incarnation worker) const { return primary_.handles_usr1(worker); }
  bool is_unresponsive(Incarnation worker) const { return primary_.is_unresponsive(worker); }
  void excuse(Incarnation worker);
  // The program's settings were read again. Its balance and slots stay as they are.
  void set_guards(ProgramId program, Primary::Program guards);
  // The container stops: what has connected gets to a worker, then the listeners are closed and the
  // workers disconnected. Who connects later is refused.
  void stop_accepting();
  // At the very end: waiting connections are reset, paths of pipes removed.
  void close_listeners();
  void close_listeners_of(ProgramId program);

 private:
  void close_channel(Incarnation worker);
  void perform();
  void perform(const primary_action::OpenListener& action);
  void perform(const primary_action::ExtendListener& action);
  void perform(const primary_action::CloseListener& action);
  void perform(const primary_action::Send& action);
  void perform(const primary_action::SendSocket& action);
  void perform(const primary_action::SendConnection& action);
  void perform(const primary_action::DropConnection& action);
  void perform(const primary_action::Steer& action);
  void perform(const primary_action::Watch& action);
  void perform(const primary_action::Unwatch& action);
  void perform(const primary_action::Accept& action);
  void perform(const primary_action::LookAtQueues& action);
  void perform(const primary_action::IgnoreNew& action);
  void perform(const primary_action::StopListeningTo& action);
  void perform(const primary_action::Counted& action);
  void perform(const primary_action::Tell& action);
  std::optional<sys::StartingDirectory::Visit> visit() const;
  void send(Incarnation to, const std::string& line, int descriptor);
  int socket_of(SocketRef socket) const;  // -1: none
  void warn(const Error& error, std::string_view consequence) const;
  void retry_watches();
  void set_timer();

  uv_loop_t* loop_;
  DataPlaneSettings settings_;
  Sink sink_;
  Primary primary_;
  bool performing_ = false;
  std::map<Incarnation, std::unique_ptr<loop::Channel>> channels_;
  ChannelCounters of_ended_channels_;
  std::map<ListenerId, ListenSockets> listeners_;
  std::map<SocketRef, std::unique_ptr<loop::Poll>> watches_;  // closed before their sockets
  std::map<ConnectionId, sys::UniqueFd> connections_;
  std::uint64_t next_connection_ = 1;
  std::set<SocketRef>
      resting_;  // could not accept (no descriptor left): tried again a little later
  std::optional<Instant> accept_warned_at_;
  std::set<std::string> told_of_;  // addresses that could not be had since one last could
  loop::Timer retry_;
  loop::Timer timer_;  // of the primary's next deadline
  std::optional<Instant> timer_set_to_;
};

}  // namespace ni::app
