// Listeners that no worker holds any more. Node's own primary closes a handle when its last worker
// goes. We keep the queue of a worker that died for its successor, and close it when that one has
// had its chance: it serves, and has not asked for the same place again (a port with the worker's
// number in it, a socket with its pid).

#include <algorithm>
#include <utility>
#include <vector>

#include "core/primary/primary.h"

namespace ni {

// What the worker held, it holds no more.
void Primary::release(Worker& worker) {
  for (const Held& held : std::exchange(worker.held, {})) {
    listeners_.at(held.listener).last_slot = worker.place.slot;
  }
}

bool Primary::is_held(ListenerId id) const {
  return std::ranges::any_of(workers_, [&](const auto& entry) { return holds(entry.second, id); });
}

// How long after now the listener is to be closed if nobody asks for it; nullopt: that is not known,
// for whoever may ask does not serve yet.
std::optional<Duration> Primary::patience_with(const Listener& listener) const {
  const auto program = programs_.find(listener.program);
  if (program == programs_.end()) return std::nullopt;
  const bool slot_is_gone = listener.last_slot.value >= program->second.slots;
  std::optional<Duration> patience;
  for (const auto& [id, worker] : workers_) {
    if (worker.place.program != listener.program || worker.place.parked || !worker.serving) {
      continue;
    }
    if (slot_is_gone || worker.place.slot == listener.last_slot) return kUnheldAfterSuccessor;
    patience = kUnheldWithoutSuccessor;  // others serve, its own slot is empty
  }
  return patience;
}

void Primary::review_unheld() {
  for (auto& [id, listener] : listeners_) {
    if (stopping_ || !listener.opened || !listener.asking.empty() || is_held(id)) {
      listener.close_at.reset();
      continue;
    }
    const std::optional<Duration> patience = patience_with(listener);
    if (!patience) {
      listener.close_at.reset();
    } else if (!listener.close_at || *listener.close_at > now_ + *patience) {
      listener.close_at = now_ + *patience;
    }
  }
}

void Primary::close_unheld() {
  std::vector<ListenerId> due;
  for (const auto& [id, listener] : listeners_) {
    if (listener.close_at && *listener.close_at <= now_) due.push_back(id);
  }
  for (const ListenerId id : due) drop_listener(id);
}

void Primary::close_listeners_of(ProgramId program) {
  std::vector<ListenerId> its;
  for (const auto& [id, listener] : listeners_) {
    if (listener.program == program) its.push_back(id);
  }
  for (const ListenerId id : its) drop_listener(id);
}

}  // namespace ni
