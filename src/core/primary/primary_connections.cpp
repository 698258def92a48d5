// Connections that the primary accepts, and whom it gives them to.

#include <algorithm>
#include <utility>

#include "core/primary/primary.h"

namespace ni {

void Primary::queue_readable(SocketRef ref, Instant now) {
  now_ = now;
  const auto it = listeners_.find(ref.listener);
  if (it == listeners_.end() || ref.socket >= it->second.sockets.size()) return;
  Watching& watching = it->second.sockets[ref.socket];
  if (watching == Watching::rested) {
    watching = Watching::no;
    if (!it->second.next_look) it->second.next_look = now + kLookAgain;
    it->second.empty_looks = 0;
    it->second.looks_in_vain = 0;
  }
  if (watching != Watching::armed) return;
  watching = Watching::waits_for_worker;
  accept_for_free_workers();
}

// A worker has become free, or a queue readable.
void Primary::accept_for_free_workers() {
  if (!homeless_.empty()) place_homeless();
  for (auto& [id, listener] : listeners_) {
    for (std::uint32_t socket = 0; socket < listener.sockets.size(); ++socket) {
      if (listener.sockets[socket] != Watching::waits_for_worker) continue;
      // A blocked worker will come back to its queue: better than to wait behind another's.
      const unsigned free = count_free(listener, id, listener.blocked.contains(socket));
      if (free == 0) continue;
      listener.sockets[socket] = Watching::accepting;
      act(primary_action::Accept{{id, socket}, free});
    }
  }
}

void Primary::connection_arrived(SocketRef ref, ConnectionId connection) {
  connections_[connection] = {.listener = ref.listener};
  hand_over(connection);
}

void Primary::accepted(SocketRef ref, bool queue_empty) {
  const auto it = listeners_.find(ref.listener);
  if (it == listeners_.end() || ref.socket >= it->second.sockets.size()) return;
  Watching& watching = it->second.sockets[ref.socket];
  if (watching != Watching::accepting) return;
  watching = Watching::waits_for_worker;
  if (minded(ref.listener, it->second, ref.socket)) {
    const bool still_blocked = it->second.blocked.contains(ref.socket);
    if (queue_empty || !still_blocked) watching = Watching::no;
  } else if (queue_empty) {
    watching = Watching::armed;
    act(primary_action::Watch{ref});
  }
  accept_for_free_workers();
}

bool Primary::is_free(const Worker& worker, ListenerId listener) const {
  return worker.serving && !worker.draining && !worker.ignored && worker.handed.empty() &&
         worker.handles.idle() && holds(worker, listener);
}

unsigned Primary::count_free(const Listener& listener, ListenerId id, bool idle_only) const {
  const auto waiting = std::ranges::count_if(
      homeless_, [&](ConnectionId one) { return connections_.at(one).listener == id; });
  const auto free = std::ranges::count_if(workers_, [&](const auto& entry) {
    return entry.second.place.program == listener.program &&
           (idle_only ? is_idle(entry.second, id) : is_free(entry.second, id));
  });
  return free > waiting ? static_cast<unsigned>(free - waiting) : 0;
}

// In turn, as Node's SCHED_RR: the next free one after the one that was given the last connection;
// one with an empty queue before one with connections waiting.
std::optional<Incarnation> Primary::next_free(ListenerId id, Listener& listener) {
  for (const bool idle_only : {true, false}) {
    std::optional<Incarnation> first;
    for (const auto& [incarnation, worker] : workers_) {
      if (!(idle_only ? is_idle(worker, id) : is_free(worker, id))) continue;
      if (incarnation > listener.last_given) return listener.last_given = incarnation;
      if (!first) first = incarnation;
    }
    if (first) return listener.last_given = *first;
  }
  return std::nullopt;
}

// A worker has it.
void Primary::taken(ConnectionId connection, Worker& by) {
  const auto of = connections_.find(connection);
  const auto it =
      of == connections_.end() ? listeners_.end() : listeners_.find(of->second.listener);
  if (it != listeners_.end()) {
    ConnectionCounters::OfSlot& counters = counters_[it->second.program].slots[by.place.slot];
    ++(it->second.spread == Spread::handed_over ? counters.handed_over : counters.rescued);
  }
  ++by.given;
  connections_.erase(connection);
  act(primary_action::DropConnection{connection});
}

// Nobody takes it.
void Primary::drop(ConnectionId connection) {
  const auto of = connections_.find(connection);
  const auto it =
      of == connections_.end() ? listeners_.end() : listeners_.find(of->second.listener);
  if (it != listeners_.end()) ++counters_[it->second.program].dropped;
  connections_.erase(connection);
  act(primary_action::DropConnection{connection});
}

bool Primary::ask_connections(Incarnation id) {
  Worker* worker = find(id);
  if (worker == nullptr || worker->draining || worker->ignored) return false;
  const auto program = programs_.find(worker->place.program);
  if (program == programs_.end() || !program->second.counts_connections) return false;
  if (!std::exchange(worker->owes_count, true)) {
    act(primary_action::Send{id, wire::ask_connections_line(program->second.counts_requests)});
  }
  return true;
}

// It counts all that came to its servers, those that we gave it, too. Its replies to these went
// ahead on the same channel.
void Primary::counted(Incarnation id, Worker& worker, const wire::ConnectionsCounted& says) {
  if (says.asked) worker.owes_count = false;
  const std::uint64_t fresh = says.count - std::min(says.count, worker.counted);
  worker.counted = says.count;
  worker.handles_usr1 = says.handles_usr1;
  const std::uint64_t given = std::exchange(worker.given, 0);
  counters_[worker.place.program].slots[worker.place.slot].accepted +=
      fresh - std::min(fresh, given);
  act(primary_action::Counted{id, worker.place.program, says});
}

const ConnectionCounters& Primary::connections(ProgramId program) const {
  static const ConnectionCounters kNone;
  const auto found = counters_.find(program);
  return found == counters_.end() ? kNone : found->second;
}

void Primary::hand_over(ConnectionId connection) {
  const auto of = connections_.find(connection);
  if (of == connections_.end()) return;
  const auto it = listeners_.find(of->second.listener);
  if (it == listeners_.end()) return drop(connection);
  const std::optional<Incarnation> to = next_free(it->first, it->second);
  if (!to) {
    if (homeless_.size() >= kMostHomeless) return drop(connection);
    homeless_.push_back(connection);
    return;
  }
  Worker& worker = workers_.at(*to);
  const std::int64_t seq = worker.next_seq++;
  worker.handed[seq] = connection;
  worker.handles.push({.line = wire::new_connection_line(it->second.key, seq),
                       .carries = connection,
                       .answer = {}});
  send_next_handle(*to, worker);
}

void Primary::place_homeless() {
  for (const ConnectionId one : std::exchange(homeless_, {})) hand_over(one);
}

// What this worker was sent and has not taken goes to others.
void Primary::give_back(Worker& worker) {
  worker.handles.clear();
  for (const auto& [seq, connection] : std::exchange(worker.handed, {})) hand_over(connection);
}

}  // namespace ni
