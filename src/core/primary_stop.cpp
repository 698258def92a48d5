// How the listeners end when the container stops.

#include <algorithm>
#include <utility>

#include "core/primary.h"

namespace ni {

void Primary::stop_accepting(Instant now) {
  if (std::exchange(stopping_, true)) return;
  now_ = now;
  for (const auto& [id, listener] : listeners_) {
    if (listener.opened && listener.opened->tcp) act(primary_action::IgnoreNew{id});
  }
  settling_ = Settling{.next = now, .looks = 0, .waiting = true, .to_disconnect = {}};
  settle(now);
}

// Looks; the answers come before the next time.
void Primary::settle(Instant now) {
  const bool quiet = settling_->looks >= kFewestSettles && !settling_->waiting && owes_nothing();
  if (listeners_.empty() || quiet || settling_->looks >= kMostSettles) {
    const std::vector<Incarnation> waiting = std::move(settling_->to_disconnect);
    settling_.reset();
    close_listeners();
    for (const Incarnation id : waiting) disconnect(id);
    return;
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

}  // namespace ni
