// The listeners of the primary: who gets which socket, whom the kernel is told to choose, and what
// is done with connections that wait where nobody accepts.

#include <algorithm>
#include <utility>

#include "core/primary/primary.h"

namespace ni {
namespace {

// What a program gets when it listens too often (errno.h EMFILE).
constexpr int kNoDescriptorLeft = 24;

}  // namespace

// nullopt: there are too many.
std::optional<ListenerId> Primary::find_or_open(ProgramId program, const wire::ListenQuery& query) {
  const std::string key = wire::listen_key(query);
  for (const auto& [id, listener] : listeners_) {
    if (listener.program == program && listener.key == key) return id;
  }
  if (listeners_.size() >= kMostListeners) return std::nullopt;
  const Program& settings = programs_[program];
  const bool stream = !query.is_udp();
  // Deno takes connections only by hand-over: it never accepts on a handle that it is given.
  const bool handed_over = stream && (settings.balance == Balance::round_robin || query.by_deno);
  const bool per_slot = query.is_tcp() && !handed_over && settings.balance != Balance::shared;
  const ListenerId id{next_listener_++};
  Listener& listener = listeners_[id];
  listener.program = program;
  listener.key = key;
  listener.query = query;
  listener.spread = handed_over ? Spread::handed_over
                    : per_slot  ? Spread::socket_per_slot
                                : Spread::one_socket;
  listener.sockets.assign(per_slot ? settings.slots : 1, Watching::no);
  listener.queues.assign(listener.sockets.size(), {});
  act(primary_action::OpenListener{.listener = id,
                                   .program = program,
                                   .query = query,
                                   .sockets = static_cast<unsigned>(listener.sockets.size()),
                                   .reuse_port = per_slot});
  return id;
}

void Primary::listener_opened(ListenerId id, const Opened& opened) {
  const auto it = listeners_.find(id);
  if (it == listeners_.end()) return;
  Listener& listener = it->second;
  const std::vector<Query> asking = std::exchange(listener.asking, {});
  if (opened.error_number != 0) {
    // The next worker that asks tries again, as with Node's primary.
    for (const Query& one : asking) {
      if (Worker* worker = find(one.worker)) {
        answer_error(one.worker, *worker, listener, one.seq, opened.error_number);
      }
    }
    listeners_.erase(it);
    return;
  }
  listener.opened = opened;
  for (const Query& one : asking) {
    Worker* worker = find(one.worker);
    if (worker != nullptr && !worker->draining) answer(one.worker, *worker, id, one.seq);
  }
  // Slots may have been added while it was being opened.
  const Program settings = programs_[listener.program];
  set_program(listener.program, settings);
  steer(id, listener);
  update_watches(id, listener);
  review_unheld();  // whoever asked may be gone
}

void Primary::answer_error(Incarnation id, Worker& worker, const Listener& listener,
                           std::int64_t seq, int error) {
  const wire::Answer answer{
      .key = listener.key, .ack = seq, .seq = worker.next_seq++, .data = listener.data};
  act(primary_action::Send{id, wire::error_line(answer, error)});
}

// As though the program had no descriptor left.
void Primary::refuse_listen(Incarnation id, Worker& worker, const wire::QueryServerAct& asked) {
  const wire::Answer answer{.key = wire::listen_key(asked.query),
                            .ack = asked.seq,
                            .seq = worker.next_seq++,
                            .data = asked.query.data};
  act(primary_action::Send{id, wire::error_line(answer, kNoDescriptorLeft)});
}

void Primary::answer(Incarnation id, Worker& worker, ListenerId listener_id, std::int64_t seq) {
  Listener& listener = listeners_.at(listener_id);
  tell_asked(id, worker);
  const wire::Answer answer{
      .key = listener.key, .ack = seq, .seq = worker.next_seq++, .data = listener.data};
  if (holds(worker, listener_id)) {
    // Two live handles of one key would trip an assertion in the worker (child.js: handles.get(key)
    // === undefined).
    constexpr int kInUse = 98;  // errno.h EADDRINUSE
    act(primary_action::Send{id, wire::error_line(answer, kInUse)});
    return;
  }
  worker.held.push_back({.listener = listener_id, .announced = false});
  listener.close_at.reset();
  if (listener.spread == Spread::handed_over) {
    act(primary_action::Send{id, wire::round_robin_line(answer, listener.opened->name)});
  } else {
    const std::uint32_t slot = worker.place.slot.value;
    if (listener.spread == Spread::socket_per_slot && slot >= listener.sockets.size() &&
        slot < kMostSlots) {
      listener.sockets.resize(slot + 1, Watching::no);
      listener.queues.resize(slot + 1);
      act(primary_action::ExtendListener{listener_id, slot + 1});
    }
    const std::uint32_t socket = slot < listener.sockets.size() ? slot : 0;
    worker.handles.push({.line = wire::shared_handle_line(answer, listener.query.is_udp()),
                         .carries = SocketRef{listener_id, socket},
                         .answer = answer});
    send_next_handle(id, worker);
  }
  steer(listener_id, listener);
  update_watches(listener_id, listener);
  accept_for_free_workers();
}

bool Primary::holds(const Worker& worker, ListenerId listener) const {
  return std::ranges::any_of(worker.held,
                             [&](const Held& held) { return held.listener == listener; });
}

// Whether this worker takes connections from that socket by itself.
bool Primary::accepts(const Worker& worker, ListenerId id, std::uint32_t socket) const {
  const Listener& listener = listeners_.at(id);
  const std::uint32_t slot = worker.place.slot.value;
  const std::uint32_t own = slot < listener.sockets.size() ? slot : 0;
  return own == socket && listener.program == worker.place.program && holds(worker, id);
}

void Primary::holders_changed(ProgramId program) {
  // A worker says `close` a moment before it closes (child.js), and its copy must be gone first.
  if (stopping_ && !settling_ && !drop_due_) drop_due_ = now_ + kSettleEvery;
  for (auto& [id, listener] : listeners_) {
    if (listener.program != program || !listener.opened) continue;
    steer(id, listener);
    update_watches(id, listener);
  }
  place_homeless();
  accept_for_free_workers();
  review_unheld();
}

// Serving workers that are not blocked; if all are, serving ones; before there is one, those that
// are about to be; else it stays as it was.
void Primary::steer(ListenerId id, Listener& listener) {
  if (listener.spread != Spread::socket_per_slot || !listener.opened || stopping_) return;
  std::vector<std::uint32_t> named;
  for (const int mercy : {0, 1, 2}) {
    for (const auto& [incarnation, worker] : workers_) {
      if (worker.draining || worker.retiring || (mercy < 2 && !worker.serving)) continue;
      for (std::uint32_t socket = 0; socket < listener.sockets.size(); ++socket) {
        if (mercy == 0 && listener.blocked.contains(socket)) continue;
        if (accepts(worker, id, socket)) named.push_back(socket);
      }
    }
    if (!named.empty()) break;
  }
  if (named.empty()) return;
  std::ranges::sort(named);
  // clang 14 cannot compile what ranges::unique returns.
  named.erase(std::unique(named.begin(), named.end()), named.end());
  const bool by_address = programs_[listener.program].balance == Balance::client_ip;
  if (by_address) {
    // A bucket per slot: the clients of a serving slot stay with it, whoever else comes or goes.
    std::vector<std::uint32_t> buckets(listener.sockets.size());
    for (std::uint32_t bucket = 0; bucket < buckets.size(); ++bucket) {
      buckets[bucket] =
          std::ranges::binary_search(named, bucket) ? bucket : named[bucket % named.size()];
    }
    named = std::move(buckets);
  }
  if (named == listener.steered) return;
  listener.steered = named;
  act(primary_action::Steer{.listener = id, .sockets = std::move(named), .by_address = by_address});
}

// What arrives on a socket that no worker accepts on is for us to hand over.
void Primary::update_watches(ListenerId id, Listener& listener) {
  if (!listener.opened || listener.spread == Spread::one_socket) return;
  const bool looking = may_look(id, listener);
  for (std::uint32_t socket = 0; socket < listener.sockets.size(); ++socket) {
    Watching& watching = listener.sockets[socket];
    if (!minded(id, listener, socket)) {
      listener.blocked.erase(socket);
      if (watching == Watching::no || watching == Watching::rested) {
        watching = Watching::armed;
        act(primary_action::Watch{{id, socket}});
      }
    } else if (!listener.blocked.contains(socket)) {
      if (watching != Watching::no && watching != Watching::rested) {
        watching = Watching::no;
        act(primary_action::Unwatch{{id, socket}});
      }
      if (watching == Watching::no && looking && !listener.next_look) {
        watching = Watching::rested;
        act(primary_action::Watch{{id, socket}});
      }
    }
  }
}

void Primary::drop_listener(ListenerId id) {
  for (auto& [incarnation, worker] : workers_) {
    std::erase_if(worker.held, [&](const Held& held) { return held.listener == id; });
  }
  listeners_.erase(id);
  act(primary_action::CloseListener{id});
  place_homeless();  // drops those of this listener
}

void Primary::close_listeners() {
  while (!listeners_.empty()) drop_listener(listeners_.begin()->first);
}

}  // namespace ni
