#include "core/primary/primary.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/overloaded.h"

namespace ni {
namespace {

// What a program gets when a handle could not be delivered: the worker has no descriptor left
// (errno.h EMFILE).
constexpr int kNoDescriptorLeft = 24;

}  // namespace

Primary::Worker* Primary::find(Incarnation id) {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second;
}

void Primary::set_program(ProgramId program, const Program& settings) {
  const unsigned slots = std::clamp(settings.slots, 1U, kMostSlots);
  programs_[program] = settings;
  programs_[program].slots = slots;
  if (settings.answers_pings) answering_.insert(program);
  counters_[program].knows_accepted = settings.counts_connections;
  for (auto& [id, listener] : listeners_) {
    if (listener.program != program || !listener.opened) continue;
    if (listener.spread != Spread::socket_per_slot || listener.sockets.size() >= slots) continue;
    listener.sockets.resize(slots, Watching::no);
    listener.queues.resize(slots);
    act(primary_action::ExtendListener{id, static_cast<unsigned>(listener.sockets.size())});
    update_watches(id, listener);
  }
  review_unheld();
}

void Primary::open_channel(Incarnation worker, Place place) {
  workers_.insert_or_assign(worker, Worker(place));
}

void Primary::said(Incarnation id, const wire::IpcLine& line, Instant now) {
  Worker* worker = find(id);
  now_ = now;
  if (worker == nullptr || worker->ignored) return;
  std::visit(Overloaded{
                 [&](const wire::InternalLine& internal) {
                   const auto message = wire::parse_worker_message(internal.text);
                   if (!message) return distrust(id, *worker, to_string(message.error()));
                   on(id, *worker, *message);
                 },
                 [&](const wire::HandleLine&) {
                   act(primary_action::Send{id, wire::handle_ack_line()});
                 },
                 [](const wire::MetricsLine&) {},  // the data plane's owner has it
                 [&](const wire::ReadyLine&) { act(primary_action::Tell{event::SaidReady{id}}); },
                 [&](const wire::AddressedLine& addressed) {
                   if (auto says = wire::parse_availability(addressed.text)) {
                     act(primary_action::Tell{
                         event::SaidAvailable{id, says->ready, std::move(says->reason)}});
                   }
                 },
                 [&](const wire::LineTooLong&) {
                   distrust(id, *worker, "an internal message without an end");
                 },
             },
             line);
}

void Primary::on(Incarnation id, Worker& worker, const wire::WorkerMessage& message) {
  std::visit(
      Overloaded{
          [&](const wire::OnlineAct&) {
            act(primary_action::Tell{event::Online{id}});
            ask_connections(id);  // from its first request on it counts them
          },
          [&](const wire::QueryServerAct& asked) { query(id, worker, asked); },
          [&](const wire::ListeningAct& says) { listening(id, worker, says); },
          [&](const wire::CloseAct& close) { closed(id, worker, close.key); },
          [&](const wire::ExitedAfterDisconnectAct& leaving) {
            worker.leaves = true;
            act(primary_action::Tell{event::Leaving{id}});
            act(primary_action::Send{id, wire::acknowledge_line(leaving.seq, worker.next_seq++)});
          },
          [&](const wire::Reply& reply) { replied(worker, reply); },
          [&](const wire::HandleAck&) { handle_answered(id, worker, true); },
          [&](const wire::HandleNack&) { handle_answered(id, worker, false); },
          [&](const wire::ConnectionsCounted& says) { counted(id, worker, says); },
          [&](const wire::Retirement& says) { retirement(id, worker, says); },
          [&](const wire::AskedForPrimary& says) {
            act(primary_action::Tell{event::AskedForPrimary{id, says.where}});
          },
          [](const wire::UnknownMessage&) {},
      },
      message);
}

void Primary::query(Incarnation id, Worker& worker, const wire::QueryServerAct& asked) {
  if (worker.draining || stopping_) return;  // as Node's primary: no answer after `disconnect`
  if (worker.held.size() + worker.withheld.size() >= kMostListens || worker.handles.full()) {
    tell_asked(id, worker);
    return refuse_listen(id, worker, asked);
  }
  if (worker.place.parked) {
    tell_asked(id, worker);
    worker.withheld.push_back(asked);
    return;
  }
  const std::optional<ListenerId> found = find_or_open(worker.place.program, asked.query);
  if (!found) return refuse_listen(id, worker, asked);
  const ListenerId listener_id = *found;
  Listener& listener = listeners_.at(listener_id);
  listener.last_slot = worker.place.slot;
  if (!listener.data || listener.data.is_null()) listener.data = asked.query.data;
  if (listener.opened) return answer(id, worker, listener_id, asked.seq);
  if (listener.asking.size() < std::size_t{kMostSlots} * 2)
    listener.asking.push_back({id, asked.seq});
}

// Not before there is a socket for it: a program whose port is taken or forbidden is no server yet,
// and its siblings would only fail beside it.
void Primary::tell_asked(Incarnation id, Worker& worker) {
  if (!std::exchange(worker.asked, true)) act(primary_action::Tell{event::AskedForSocket{id}});
}

void Primary::listening(Incarnation id, Worker& worker, const wire::ListeningAct& says) {
  bool tcp = says.query.is_tcp();
  bool ours = false;
  // By itself: the port alone says where, and no listener of ours has so high a number.
  ServerPlace place{.id = (std::uint64_t{1} << 32U) + static_cast<std::uint64_t>(says.query.port),
                    .port = says.query.port};
  for (Held& held : worker.held) {
    const Listener& listener = listeners_.at(held.listener);
    if (held.announced || !listener.query.same_place(says.query)) continue;
    const int asked_port = listener.query.port;
    if (asked_port != says.query.port && asked_port != 0) continue;
    held.announced = true;
    tcp = listener.opened && listener.opened->tcp;
    ours = true;
    place = {.id = held.listener.value + std::uint64_t{1},
             .port = asked_port != 0 || !listener.opened ? asked_port : listener.opened->port};
    break;
  }
  // Bun binds by itself and asks for nothing: what it says is taken as it is, and as the question,
  // too.
  tell_asked(id, worker);
  act(primary_action::Tell{event::Listening{id, tcp, !ours, place}});
  ask_connections(id);  // one that was asked tells the number once more when it drains
}

void Primary::closed(Incarnation id, Worker& worker, const std::string& key) {
  const auto it = std::ranges::find_if(
      worker.held, [&](const Held& held) { return listeners_.at(held.listener).key == key; });
  if (it == worker.held.end()) return;
  const Held gone = *it;
  worker.held.erase(it);
  const Listener& listener = listeners_.at(gone.listener);
  if (gone.announced) {
    act(primary_action::Tell{event::ServerClosed{id, listener.opened && listener.opened->tcp}});
  }
  const bool last = std::ranges::none_of(
      workers_, [&](const auto& entry) { return holds(entry.second, gone.listener); });
  // The program stops listening of its own will: new clients must be refused, as without us.
  if (last && !worker.draining && !worker.retiring) return drop_listener(gone.listener);
  holders_changed(worker.place.program);
}

void Primary::replied(Worker& worker, const wire::Reply& reply) {
  const auto it = worker.handed.find(reply.ack);
  if (it == worker.handed.end()) return;
  const ConnectionId connection = it->second;
  worker.handed.erase(it);
  if (reply.accepted) {
    taken(connection, worker);
  } else if (const auto of = connections_.find(connection); of != connections_.end()) {
    // Closed there, or maxConnections reached: another takes it. Refused by all is refused.
    if (++of->second.refusals < workers_.size()) {
      hand_over(connection);
    } else {
      drop(connection);
    }
  }
  accept_for_free_workers();
}

void Primary::handle_answered(Incarnation id, Worker& worker, bool taken) {
  const HandleLine* line = worker.handles.on_its_way();
  if (!taken && std::exchange(worker.owes_nack, false)) {
    worker.pingable = true;  // it can, and was only late
    worker.answers_pings = true;
    answering_.insert(worker.place.program);
    return answered(worker);
  }
  if (line == nullptr) return;  // an answer to nothing: Node never sends one
  const bool was_ping = std::holds_alternative<Ping>(line->carries);
  if (was_ping) {
    if (worker.retiring && !worker.hears && !worker.deaf_at) {
      worker.deaf_at = now_ + kModulePatience;
    }
    worker.answers_pings = true;
    answering_.insert(worker.place.program);
    worker.loop_delay.record(now_ - worker.handles.since());
  }
  if (!taken && !was_ping) {
    if (const HandleLine* again = worker.handles.again()) return send_handle(id, *again);
  }
  const std::optional<HandleLine> done = worker.handles.acknowledged();
  if (!taken && !was_ping && done) {
    if (const auto* connection = std::get_if<ConnectionId>(&done->carries)) {
      std::erase_if(worker.handed, [&](const auto& entry) { return entry.second == *connection; });
      hand_over(*connection);
    } else {
      act(primary_action::Send{id, wire::error_line(done->answer, kNoDescriptorLeft)});
      std::erase_if(worker.held, [&](const Held& held) {
        return held.listener == std::get<SocketRef>(done->carries).listener;
      });
      review_unheld();
    }
  }
  answered(worker);
  send_next_handle(id, worker);
  accept_for_free_workers();
}

void Primary::send_next_handle(Incarnation id, Worker& worker) {
  if (const HandleLine* line = worker.handles.next(now_)) send_handle(id, *line);
}

void Primary::send_handle(Incarnation id, const HandleLine& line) {
  std::visit(Overloaded{
                 [&](SocketRef socket) {
                   act(primary_action::SendSocket{id, line.line, socket});
                 },
                 [&](ConnectionId connection) {
                   act(primary_action::SendConnection{id, line.line, connection});
                 },
                 [&](Ping) {
                   act(primary_action::Send{id, line.line});
                 },
             },
             line.carries);
}

// What follows in the stream cannot be trusted either. Our end stays open, since a worker whose
// channel is closed unasked exits at once with its requests; the supervisor hears that the channel
// is gone, and drains.
void Primary::distrust(Incarnation id, Worker& worker, std::string reason) {
  worker.ignored = true;
  worker.serving = false;
  worker.withheld.clear();
  give_back(worker);
  act(primary_action::StopListeningTo{id, std::move(reason)});
  act(primary_action::Tell{event::ChannelClosed{id}});
}

void Primary::channel_ended(Incarnation id, bool speaks_bun) {
  Worker* worker = find(id);
  if (worker == nullptr) return;
  const bool drains_on = std::exchange(worker->draining, true) && speaks_bun;
  worker->ignored = true;
  worker->serving = false;
  release(*worker);
  give_back(*worker);
  if (!drains_on) act(primary_action::Tell{event::ChannelClosed{id}});
  holders_changed(worker->place.program);
}

void Primary::promote(Incarnation id, SlotId slot) {
  Worker* worker = find(id);
  if (worker == nullptr) return;
  worker->place.slot = slot;
  worker->place.parked = false;
  for (const wire::QueryServerAct& asked : std::exchange(worker->withheld, {})) {
    query(id, *worker, asked);
  }
}

void Primary::disconnect(Incarnation id) {
  if (settling_) return settling_->to_disconnect.push_back(id);
  Worker* worker = find(id);
  if (worker == nullptr || std::exchange(worker->draining, true)) return;
  worker->serving = false;
  worker->withheld.clear();
  // One that leaves closes its channel as soon as we have acknowledged that; to be told to do so
  // makes it close the channel twice, which throws (lib/internal/cluster/child.js, _disconnect).
  if (!worker->leaves) {
    act(primary_action::Send{id, wire::disconnect_line(worker->next_seq++)});
  }
  holders_changed(worker->place.program);
}

void Primary::forget(Incarnation id) {
  const auto it = workers_.find(id);
  if (it == workers_.end()) return;
  const ProgramId program = it->second.place.program;
  it->second.serving = false;
  release(it->second);
  give_back(it->second);
  workers_.erase(it);
  holders_changed(program);
}

void Primary::set_serving(ProgramId program, const std::set<Incarnation>& serving) {
  if (stopping_) return;  // those that serve empty the queues
  for (auto& [id, worker] : workers_) {
    if (worker.place.program == program) {
      worker.serving =
          serving.contains(id) && !worker.draining && !worker.retiring && !worker.ignored;
    }
  }
  holders_changed(program);
}

}  // namespace ni
