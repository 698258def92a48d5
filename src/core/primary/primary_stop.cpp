// How the listeners end when the container stops.

#include <algorithm>
#include <utility>
#include <vector>

#include "core/primary/primary.h"

namespace ni {

void Primary::stop_accepting(Instant now) {
  if (std::exchange(stopping_, true)) return;
  now_ = now;
  for (const auto& [id, listener] : listeners_) {
    if (listener.opened && listener.spread == Spread::socket_per_slot) {
      act(primary_action::IgnoreNew{id});
    }
  }
  settling_ =
      Settling{.next = now, .looks = 0, .waiting = true, .to_disconnect = {}, .to_retire = {}};
  settle(now);
}

void Primary::retire(Incarnation id, const action::Retire& wish, Instant now) {
  now_ = now;
  Worker* worker = find(id);
  if (worker == nullptr || worker->draining) {
    return;
  }
  const bool by_hand = std::ranges::any_of(worker->held, [&](const Held& held) {
    return listeners_.at(held.listener).spread == Spread::handed_over;
  });
  if (settling_ && by_hand) {
    settling_->to_retire.push_back(wish);
    return;
  }
  worker->retiring = true;
  if (!stopping_) {
    worker->serving = false;  // in a stop it is for each to empty its own queue
  }
  const std::string name = to_string(wish.signal);
  act(primary_action::Send{id, wire::retire_line({.signal = name,
                                                  .fixed = wish.fixed,
                                                  .stop = wish.stop,
                                                  .late = wish.late,
                                                  .stays = wish.stays})});
  if (!wish.late) {
    ping(id, *worker);  // whoever answers this and says nothing of retiring has no module
  }
  holders_changed(worker->place.program);
}

void Primary::retirement(Incarnation id, Worker& worker, const wire::Retirement& says) {
  if (!worker.retiring) {
    return;  // nobody has asked
  }
  using enum wire::Retirement::Act;
  worker.hears = true;
  worker.deaf_at.reset();
  switch (says.act) {
    case cannot:
      return act(primary_action::Tell{event::CannotRetire{id}});
    case retires:
      return act(primary_action::Tell{
          event::Retires{.worker = id, .handles = parse_signal(says.signal), .open = says.open}});
    case answered:
      return act(primary_action::Tell{event::Answered{id}});
    case quiet:
      return act(primary_action::Tell{event::Quiet{id}});
    case signalled:
      return act(primary_action::Tell{event::Signalled{id, says.open}});
    case leaves:
      return act(primary_action::Tell{event::LeavesByItself{id}});
    case serves_on:
      return act(primary_action::Tell{event::ServesOn{id}});
  }
}

// Looks; the answers come before the next time.
void Primary::settle(Instant now) {
  const bool quiet = settling_->looks >= kFewestSettles && !settling_->waiting && owes_nothing();
  if (listeners_.empty() || quiet || settling_->looks >= kMostSettles) {
    const std::vector<Incarnation> to_disconnect = std::move(settling_->to_disconnect);
    const std::vector<action::Retire> to_retire = std::move(settling_->to_retire);
    settling_.reset();
    for (const action::Retire& wish : to_retire) retire(wish.worker, wish, now);
    for (const Incarnation id : to_disconnect) disconnect(id);
    return drop_unheld();
  }
  settling_->waiting = false;
  ++settling_->looks;
  settling_->next = now + kSettleEvery;
  for (const auto& [id, listener] : listeners_) {
    if (listener.opened && listener.opened->tcp) act(primary_action::LookAtQueues{id});
  }
}

bool Primary::owes_nothing() const {
  return homeless_.empty() && std::ranges::all_of(workers_, [](const auto& entry) {
           return entry.second.handed.empty();
         });
}

// Closed too early, a socket that ignores new clients would leave them to those of workers which
// are about to close. Other listeners have none: the sooner they refuse the better.
void Primary::drop_unheld() {
  drop_due_.reset();
  std::vector<ListenerId> unheld;
  for (const auto& [id, listener] : listeners_) {
    const bool held = std::ranges::any_of(
        workers_, [&, id = id](const auto& entry) { return holds(entry.second, id); });
    if (!held || listener.spread != Spread::socket_per_slot) unheld.push_back(id);
  }
  for (const ListenerId id : unheld) drop_listener(id);
}

}  // namespace ni
