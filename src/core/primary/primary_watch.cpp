// Workers that do not come to their event loop: found by the age of their queue, measured and
// guarded by pings.

#include <algorithm>
#include <utility>

#include "core/primary/primary.h"

namespace ni {

// Some worker accepts on this socket by itself.
bool Primary::minded(ListenerId id, const Listener& listener, std::uint32_t socket) const {
  return listener.spread == Spread::socket_per_slot &&
         std::ranges::any_of(workers_,
                             [&](const auto& entry) { return accepts(entry.second, id, socket); });
}

// Only where a connection may go to another worker, and there is another.
bool Primary::may_look(ListenerId id, const Listener& listener) const {
  const auto program = programs_.find(listener.program);
  if (listener.spread != Spread::socket_per_slot || program == programs_.end() ||
      program->second.balance != Balance::kernel) {
    return false;
  }
  return std::ranges::count_if(workers_, [&](const auto& entry) {
           return entry.second.serving && holds(entry.second, id);
         }) > 1;
}

// Free, and nothing waits in its own queue, nor did a moment ago.
bool Primary::is_idle(const Worker& worker, ListenerId id) const {
  const Listener& listener = listeners_.at(id);
  const std::uint32_t slot = worker.place.slot.value;
  const std::uint32_t own = slot < listener.sockets.size() ? slot : 0;
  return is_free(worker, id) && !listener.blocked.contains(own) &&
         listener.queues[own].empty >= kLooksToTell;
}

void Primary::note_lengths(Listener& listener, std::span<const unsigned> lengths) {
  for (std::size_t socket = 0; socket < listener.queues.size(); ++socket) {
    Queue& queue = listener.queues[socket];
    const unsigned before =
        std::exchange(queue.length, socket < lengths.size() ? lengths[socket] : 0);
    queue.empty = queue.length == 0 ? queue.empty + 1 : 0;
    queue.stuck = queue.length == 0 ? 0 : queue.length < before ? 1 : queue.stuck + 1;
  }
  const bool all_empty = std::ranges::all_of(lengths, [](unsigned length) { return length == 0; });
  listener.empty_looks = all_empty ? listener.empty_looks + 1 : 0;
  ++listener.looks_in_vain;
}

Duration Primary::pause_between_looks(const Listener& listener, bool suspected) {
  const unsigned doublings = std::min(listener.looks_in_vain / kLooksInVain, kMostDoublings);
  return (suspected ? kLookAgain : kLookEvery) * (1U << doublings);
}

void Primary::looked(ListenerId id, std::span<const unsigned> lengths) {
  const auto it = listeners_.find(id);
  if (it == listeners_.end()) return;
  Listener& listener = it->second;
  // Beyond its own sockets stands the one that ignores new connections.
  lengths = lengths.first(std::min(listener.sockets.size(), lengths.size()));
  if (settling_ && std::ranges::any_of(lengths, [](unsigned length) { return length > 0; })) {
    settling_->waiting = true;
  }
  if (!listener.next_look) return;
  note_lengths(listener, lengths);
  const bool looking = may_look(id, listener);
  bool suspected = false;
  for (std::uint32_t socket = 0; socket < listener.sockets.size() && looking; ++socket) {
    if (!minded(id, listener, socket)) continue;
    const Queue& queue = listener.queues[socket];
    if (queue.stuck >= kLooksToTell) pass_by(id, listener, socket);
    suspected = suspected || (queue.stuck == 1 && has_idle_neighbour(id, socket));
    if (queue.length > 0 && listener.blocked.contains(socket) &&
        listener.sockets[socket] == Watching::no) {
      listener.sockets[socket] = Watching::waits_for_worker;
    }
  }
  listener.next_look = now_ + pause_between_looks(listener, suspected);
  if (!looking || (listener.empty_looks >= kLooksWhileEmpty && listener.blocked.empty())) {
    listener.next_look.reset();
    if (!looking) std::ranges::fill(listener.queues, Queue{});
    update_watches(id, listener);
  }
  accept_for_free_workers();
}

bool Primary::has_idle_neighbour(ListenerId id, std::uint32_t socket) const {
  return std::ranges::any_of(workers_, [&](const auto& entry) {
    return !accepts(entry.second, id, socket) && is_idle(entry.second, id);
  });
}

void Primary::pass_by(ListenerId id, Listener& listener, std::uint32_t socket) {
  if (!has_idle_neighbour(id, socket) || !listener.blocked.emplace(socket, now_).second) return;
  steer(id, listener);
  for (auto& [incarnation, worker] : workers_) {
    if (accepts(worker, id, socket) && worker.handles.idle() && !worker.ignored)
      ping(incarnation, worker);
  }
}

// It came to its event loop.
void Primary::answered(Worker& worker) {
  const auto program = programs_.find(worker.place.program);
  if (program != programs_.end()) worker.ping_due = now_ + program->second.ping_every;
  worker.told_unresponsive = false;
  for (const Held& held : worker.held) {
    Listener& listener = listeners_.at(held.listener);
    for (const auto& [socket, since] :
         std::vector(listener.blocked.begin(), listener.blocked.end())) {
      if (!accepts(worker, held.listener, socket)) continue;
      if (now_ - since >= kReallyBlocked) listener.looks_in_vain = 0;
      listener.blocked.erase(socket);
      listener.queues[socket].stuck = 0;
      if (listener.sockets[socket] == Watching::waits_for_worker)
        listener.sockets[socket] = Watching::no;
      steer(held.listener, listener);
    }
  }
}

void Primary::ping(Incarnation id, Worker& worker) {
  worker.handles.push({.line = wire::ping_line(), .carries = Ping{}, .answer = {}});
  send_next_handle(id, worker);
}

std::optional<Instant> Primary::worker_deadline(const Worker& worker) const {
  const auto program = programs_.find(worker.place.program);
  if (program == programs_.end() || !worker.serving || !worker.pingable) return std::nullopt;
  const HandleLine* line = worker.handles.on_its_way();
  if (line == nullptr) {
    const bool measured = program->second.ping_every > 0ns;
    return measured ? std::optional(worker.ping_due) : std::nullopt;
  }
  const bool unknown = std::holds_alternative<Ping>(line->carries) && !worker.answers_pings &&
                       !answering_.contains(worker.place.program);
  if (unknown) return worker.handles.since() + kFirstPingPatience;
  if (program->second.hang_timeout == 0ns || worker.told_unresponsive) return std::nullopt;
  return worker.handles.since() + program->second.hang_timeout;
}

void Primary::worker_due(Incarnation id, Worker& worker, Instant due) {
  const HandleLine* line = worker.handles.on_its_way();
  if (line == nullptr) return ping(id, worker);
  if (now_ - due > kNotRunning) return worker.handles.wait_anew(now_);
  if (std::holds_alternative<Ping>(line->carries) && !worker.answers_pings &&
      !answering_.contains(worker.place.program)) {
    // Deno and Bun do not answer: nothing can be said of them, least of all that they hang.
    worker.pingable = false;
    worker.owes_nack = true;
    (void)worker.handles.acknowledged();
    answered(worker);
    return send_next_handle(id, worker);
  }
  worker.told_unresponsive = true;
  act(primary_action::Tell{event::Unresponsive{id, now_ - worker.handles.since()}});
}

std::optional<Instant> Primary::next_deadline() const {
  std::optional<Instant> next;
  const auto consider = [&](std::optional<Instant> instant) {
    if (instant && (!next || *instant < *next)) next = instant;
  };
  for (const auto& [id, worker] : workers_) {
    consider(worker_deadline(worker));
    consider(worker.deaf_at);
  }
  for (const auto& [id, listener] : listeners_) {
    consider(listener.next_look);
    consider(listener.close_at);
  }
  if (settling_) consider(settling_->next);
  consider(drop_due_);
  return next;
}

void Primary::on_deadline(Instant now) {
  now_ = now;
  for (auto& [id, worker] : workers_) {
    const std::optional<Instant> due = worker_deadline(worker);
    if (due && *due <= now) worker_due(id, worker, *due);
    if (worker.deaf_at && *worker.deaf_at <= now) {
      worker.deaf_at.reset();
      act(primary_action::Tell{event::CannotRetire{id}});
    }
  }
  for (auto& [id, listener] : listeners_) {
    if (!listener.next_look || *listener.next_look > now) continue;
    listener.next_look = now + kLookEvery;
    act(primary_action::LookAtQueues{id});
  }
  accept_for_free_workers();
  if (settling_ && settling_->next <= now) settle(now);
  if (drop_due_ && *drop_due_ <= now) drop_unheld();
  close_unheld();
}

bool Primary::is_unresponsive(Incarnation id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && it->second.told_unresponsive;
}

void Primary::excuse(Incarnation id, Instant now) {
  Worker* worker = find(id);
  if (worker == nullptr) return;
  worker->told_unresponsive = false;
  worker->handles.wait_anew(now);
}

Duration Primary::latest_loop_delay(Incarnation id, Instant now) const {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return 0ns;
  const Worker& worker = it->second;
  const bool waits = worker.handles.on_its_way() != nullptr && worker.answers_pings;
  return std::max(worker.loop_delay.last(), waits ? now - worker.handles.since() : Duration(0));
}

bool Primary::handles_usr1(Incarnation id) const {
  const auto it = workers_.find(id);
  return it != workers_.end() && it->second.handles_usr1;
}

const LoopDelay* Primary::loop_delay(Incarnation id) const {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second.loop_delay;
}

}  // namespace ni
