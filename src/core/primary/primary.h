#pragma once

// The cluster primary: what Node's own primary decides, and whom a connection goes to. Pure: told
// what came over the channels and what became of sockets, it answers with actions; it holds no
// descriptor and asks no clock.
//
// A listen of a program is a Listener, found by its key. With `kernel` and `client_ip` it has a
// SO_REUSEPORT socket per slot, which the workers of that slot get one after the other (or two at
// once, in a rolling reload); the kernel chooses among those that are named by Steer: sockets of
// serving workers. A socket that nobody accepts on is watched, and what still arrives there is
// handed over to a serving worker (`newconn`). With `shared`, and for UDP and pipes, there is one
// socket for all; with `round_robin` the primary accepts all and hands over all.
//
// The first worker's query opens the listener; the others get what it got: the port, TLS ticket
// keys (`data`). A parked worker's queries wait until it is promoted; a draining worker's are never
// answered (as Node does).
//
// A worker that is blocked (a long computation) leaves connections in its queue. The first
// connection after a rest wakes us (a one-shot watch); then we look at the queues every kLookEvery,
// the first time and when something waits while a neighbour is idle after kLookAgain, until they
// have been empty for a while; more seldom the longer they are not and no worker is found blocked
// (kLooksInVain), since then all is well. A queue that is not empty at two looks in a row, and no
// shorter at the second, belongs to a blocked worker: the kernel is told to pass it by, what waits is
// given to workers whose queue was empty both times, and it is pinged; when it answers it is back.
// Under a load that keeps all workers busy it is seldom so, and to move connections would cost more
// than it gains.
//
// A worker's death closes nothing: its successor gets its sockets with what waits in them. What the
// successor does not ask for again is closed (primary_unheld.cpp), as Node's own primary does when
// the last worker of a handle is gone.
//
// When the container stops (stop_accepting), whoever has connected is served: the kernel is told to
// ignore new clients, workers empty their queues, and only then they are disconnected. When the
// last has closed its server, ours is closed too. A client that comes later, or tries again, is
// refused: it never sends a request that is lost.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/primary/handle_queue.h"
#include "core/primary/loop_delay.h"
#include "core/primary/primary_action.h"
#include "core/settings/config.h"
#include "core/supervision/action.h"
#include "wire/cluster_messages.h"
#include "wire/node_ipc.h"

namespace ni {

// Where a worker stands. A parked one (a spare) is loaded but gets no socket; its slot counts when
// it is promoted.
struct Place {
  ProgramId program;
  SlotId slot;
  bool parked = false;
};

// A program's connections. What workers accept by themselves passes the primary by: they are asked.
struct ConnectionCounters {
  struct OfSlot {
    std::uint64_t accepted = 0;     // by its worker itself, as far as it was asked
    std::uint64_t handed_over = 0;  // to its worker, because the balance wants it so (round-robin)
    std::uint64_t rescued = 0;      // by it, from the queue of a worker that is dead or blocked
  };
  std::map<SlotId, OfSlot> slots;  // none: 0
  std::uint64_t dropped = 0;       // nobody could take them
  bool knows_accepted = false;     // Program::counts_connections
};

class Primary {
 public:
  static constexpr unsigned kMostSlots = 1024;
  static constexpr std::size_t kMostListens = 256;     // per worker; one more is answered EMFILE
  static constexpr std::size_t kMostListeners = 4096;  // of all programs; the same
  static constexpr std::size_t kMostHomeless = 256;    // connections without a worker, held by us

  static constexpr Duration kLookEvery = 3ms;
  static constexpr Duration kLookAgain = 1ms;
  static constexpr unsigned kLooksInVain = 100;  // then the pauses between them double
  static constexpr unsigned kMostDoublings = 2;
  static constexpr Duration kReallyBlocked = 6ms;  // not only slow to answer
  static constexpr unsigned kLooksToTell = 2;
  static constexpr unsigned kLooksWhileEmpty = 4;
  static constexpr Duration kFirstPingPatience = 30s;
  // We come so much too late to a deadline when we did not run ourselves: the container was frozen,
  // stopped or starved, and its workers were too.
  // A worker that answers a ping and has not said that it retires so long after has no module.
  static constexpr Duration kModulePatience = 250ms;
  static constexpr Duration kNotRunning = 500ms;
  // The queues are looked at so often when the container stops, and until they are empty: at least
  // twice (a handshake may be under way), at most so often (a worker may be blocked).
  static constexpr Duration kSettleEvery = 10ms;
  static constexpr unsigned kFewestSettles = 2;
  static constexpr unsigned kMostSettles = 250;
  // A listener that nobody holds is closed when the worker that came after its last holder has
  // served so long and not asked for it; or so long after that, when nothing came after it though
  // others serve.
  static constexpr Duration kUnheldAfterSuccessor = 200ms;
  static constexpr Duration kUnheldWithoutSuccessor = 60s;

  struct Program {
    Balance balance = Balance::kernel;
    unsigned slots = 1;
    Duration ping_every{0};  // 0: the event loop is not measured
    Duration hang_timeout{
        0};  // 0: no guard; else Unresponsive is told after so long without an answer
    bool answers_pings = false;       // known of its runtime; else its workers have to show it
    bool counts_connections = false;  // its workers can be asked, and somebody wants to know
    bool counts_requests = false;     // these, too
  };
  // Before the program's first worker, and when something of it changes. Never shrinks sockets.
  void set_program(ProgramId program, const Program& settings);

  void open_channel(Incarnation worker, Place place);
  void said(Incarnation worker, const wire::IpcLine& line, Instant now);
  // Bun closes its channel as soon as it is asked to disconnect, with requests under way: that says
  // nothing of its drain. (Checked: 1.4.4.)
  void channel_ended(Incarnation worker, bool speaks_bun = false);
  void promote(Incarnation worker, SlotId slot);
  // The module inside is asked (wire::RetireRequest); what it says of itself becomes events.
  void retire(Incarnation worker, const action::Retire& wish, Instant now);
  void disconnect(Incarnation worker);
  void forget(Incarnation worker);
  void set_serving(ProgramId program, const std::set<Incarnation>& serving);
  void stop_accepting(Instant now);  // disconnects wait until the queues are empty
  void close_listeners();
  void close_listeners_of(ProgramId program);  // nothing of it will be started again
  // What is told without a time (forget, set_serving) happens now.
  void tick(Instant now) { now_ = std::max(now_, now); }

  // The answers to actions.
  struct Opened {
    int error_number = 0;
    int port = 0;
    bool tcp = false;
    std::optional<wire::SocketName> name;  // for IP
  };
  void listener_opened(ListenerId listener, const Opened& opened);
  void queue_readable(SocketRef socket, Instant now);
  void connection_arrived(SocketRef socket, ConnectionId connection);
  void accepted(SocketRef socket, bool queue_empty);

  // How many connections wait on each socket.
  void looked(ListenerId listener, std::span<const unsigned> lengths);

  std::optional<Instant> next_deadline() const;
  void on_deadline(Instant now);

  // Unresponsive was told of it, and it has not answered since.
  bool is_unresponsive(Incarnation worker) const;
  // It could not answer: its time begins anew.
  void excuse(Incarnation worker, Instant now);

  const ConnectionCounters& connections(ProgramId program) const;
  std::size_t listeners() const { return listeners_.size(); }
  // It is asked, unless its answer to an earlier question is still to come. True: one is to come
  // (primary_action::Counted), false: it is not of those that count.
  bool ask_connections(Incarnation worker);
  // nullptr: no such worker.
  const LoopDelay* loop_delay(Incarnation worker) const;
  // Of its latest answer, or so far of the one that is still to come. Zero: none is known.
  Duration latest_loop_delay(Incarnation worker, Instant now) const;
  // By a handler of its program, as its module has said last.
  bool handles_usr1(Incarnation worker) const;

  std::vector<PrimaryAction> take_actions() { return std::exchange(actions_, {}); }

 private:
  enum class Spread : std::uint8_t { socket_per_slot, one_socket, handed_over };
  // Of a socket. armed, waits_for_worker, accepting: its connections are for us to hand over.
  // rested: a worker minds it, and we are told of the next connection only to begin looking.
  enum class Watching : std::uint8_t { no, rested, armed, waits_for_worker, accepting };
  struct Queue {  // as the looks found it
    unsigned length = 0;
    unsigned stuck = 0;  // so many looks in a row something waited, and nothing was taken between
    unsigned empty = 0;  // so many looks in a row nothing waited
  };
  struct Query {  // of a worker, to be answered when the listener is open
    Incarnation worker;
    std::int64_t seq;
  };
  struct Listener {
    ProgramId program;
    std::string key;
    wire::ListenQuery query;
    wire::Json data;
    Spread spread = Spread::one_socket;
    std::optional<Opened> opened;  // nullopt: under way
    std::vector<Query> asking;
    std::vector<Watching> sockets;
    std::vector<std::uint32_t> steered;
    std::vector<Queue> queues;                 // by socket
    std::map<std::uint32_t, Instant> blocked;  // sockets whose worker is, since we know it
    std::optional<Instant> next_look;
    unsigned empty_looks = 0;
    unsigned looks_in_vain = 0;  // since the last rest or really blocked worker
    Incarnation last_given{0};
    SlotId last_slot{};               // of the worker that asked for it or held it last
    std::optional<Instant> close_at;  // while nobody holds it
  };
  struct Held {  // a listen that a worker was given
    ListenerId listener;
    bool announced = false;  // it said `listening`
  };
  struct Worker {
    explicit Worker(Place stands) : place(stands) {}
    Place place;
    bool serving = false;
    bool asked = false;              // for a socket
    bool draining = false;           // `disconnect` was sent
    bool retiring = false;           // it was asked to
    bool hears = false;              // and has heard
    std::optional<Instant> deaf_at;  // it answers us, but its module does not: from then on
    bool leaves = false;             // by itself: it said exitedAfterDisconnect
    bool ignored = false;            // it broke the protocol
    std::int64_t next_seq = 0;
    std::vector<Held> held;
    std::vector<wire::QueryServerAct> withheld;
    HandleQueue handles;
    std::map<std::int64_t, ConnectionId> handed;  // by our seq: `newconn` not yet replied to
    LoopDelay loop_delay;
    Instant ping_due{};
    bool answers_pings = false;  // it has; one that never does is of another runtime
    bool pingable = true;
    bool owes_nack = false;  // of a ping that we gave up
    bool told_unresponsive = false;
    bool owes_count = false;    // of its connections
    std::uint64_t counted = 0;  // as it said last
    bool handles_usr1 = false;  // the same
    std::uint64_t given = 0;    // of those that it counts next time: by us
  };
  struct Connection {
    ListenerId listener;
    unsigned refusals = 0;
  };

  // primary.cpp: what workers say.
  void on(Incarnation id, Worker& worker, const wire::WorkerMessage& message);
  void query(Incarnation id, Worker& worker, const wire::QueryServerAct& act);
  void listening(Incarnation id, Worker& worker, const wire::ListeningAct& act);
  void closed(Incarnation id, Worker& worker, const std::string& key);
  void replied(Worker& worker, const wire::Reply& reply);
  void counted(Incarnation id, Worker& worker, const wire::ConnectionsCounted& says);
  void handle_answered(Incarnation id, Worker& worker, bool taken);
  void distrust(Incarnation id, Worker& worker, std::string reason);
  void send_next_handle(Incarnation id, Worker& worker);
  void send_handle(Incarnation id, const HandleLine& line);

  // primary_listeners.cpp: listeners, steering, connections.
  std::optional<ListenerId> find_or_open(ProgramId program, const wire::ListenQuery& query);
  void answer(Incarnation id, Worker& worker, ListenerId listener_id, std::int64_t seq);
  void answer_error(Incarnation id, Worker& worker, const Listener& listener, std::int64_t seq,
                    int error);
  void tell_asked(Incarnation id, Worker& worker);
  void refuse_listen(Incarnation id, Worker& worker, const wire::QueryServerAct& asked);
  void holders_changed(ProgramId program);
  void steer(ListenerId id, Listener& listener);
  void update_watches(ListenerId id, Listener& listener);
  void drop_listener(ListenerId id);
  void hand_over(ConnectionId connection);
  void taken(ConnectionId connection, Worker& by);
  void drop(ConnectionId connection);
  void place_homeless();
  void accept_for_free_workers();
  void give_back(Worker& worker);
  bool holds(const Worker& worker, ListenerId listener) const;
  bool accepts(const Worker& worker, ListenerId listener, std::uint32_t socket) const;
  bool is_free(const Worker& worker, ListenerId listener) const;
  bool is_idle(const Worker& worker, ListenerId listener) const;
  unsigned count_free(const Listener& listener, ListenerId id, bool idle_only) const;
  std::optional<Incarnation> next_free(ListenerId id, Listener& listener);

  // primary_unheld.cpp
  void release(Worker& worker);
  bool is_held(ListenerId id) const;
  std::optional<Duration> patience_with(const Listener& listener) const;
  void review_unheld();
  void close_unheld();

  // primary_stop.cpp
  void retirement(Incarnation id, Worker& worker, const wire::Retirement& says);
  void settle(Instant now);
  bool owes_nothing() const;
  void drop_unheld();

  // primary_watch.cpp: blocked workers, pings.
  bool minded(ListenerId id, const Listener& listener, std::uint32_t socket) const;
  bool may_look(ListenerId id, const Listener& listener) const;
  void note_lengths(Listener& listener, std::span<const unsigned> lengths);
  static Duration pause_between_looks(const Listener& listener, bool suspected);
  bool has_idle_neighbour(ListenerId id, std::uint32_t socket) const;
  void pass_by(ListenerId id, Listener& listener, std::uint32_t socket);
  void answered(Worker& worker);
  void ping(Incarnation id, Worker& worker);
  std::optional<Instant> worker_deadline(const Worker& worker) const;
  void worker_due(Incarnation id, Worker& worker, Instant due);

  Worker* find(Incarnation id);
  template <class Action>
  void act(Action action) {
    actions_.push_back(PrimaryAction(std::move(action)));
  }

  std::map<ProgramId, Program> programs_;
  std::set<ProgramId> answering_;  // a worker of it has answered a ping: the others can, too
  std::map<ProgramId, ConnectionCounters> counters_;
  std::map<Incarnation, Worker> workers_;
  std::map<ListenerId, Listener> listeners_;
  std::map<ConnectionId, Connection> connections_;  // accepted by us, not yet taken by a worker
  std::vector<ConnectionId> homeless_;              // of these, those that no worker could take yet
  std::uint32_t next_listener_ = 1;
  struct Settling {
    Instant next;
    unsigned looks = 0;
    bool waiting = true;  // at the latest look something waited in a queue
    std::vector<Incarnation> to_disconnect;
    std::vector<action::Retire> to_retire;  // whose connections come by way of us
  };
  std::optional<Settling> settling_;
  std::optional<Instant> drop_due_;  // of listeners that no worker holds, while stopping
  bool stopping_ = false;
  Instant now_{};  // the latest that we were told
  std::vector<PrimaryAction> actions_;
};

}  // namespace ni
