#include "app/cluster/starts_under_way.h"

#include <algorithm>
#include <utility>

#include "sys/signals.h"

namespace ni::app {
namespace {

constexpr Duration kPatienceAtStop = 1s;
constexpr Duration kBetweenLooks = 50ms;

}  // namespace

void StartsUnderWay::add(Incarnation worker, sys::Starting starting, Instant now) {
  // When no more can be watched (epoll's limit of a user), hurry() comes by often enough.
  auto poll =
      std::make_unique<loop::Poll>(loop_, starting.fd(), [this](int /*events*/) { look(); });
  poll->watch(UV_READABLE);
  starts_.insert_or_assign(worker, Start{.starting = std::move(starting),
                                         .poll = std::move(poll),
                                         .begun = now,
                                         .next_look = now + kBetweenLooks});
}

void StartsUnderWay::look() {
  for (auto it = starts_.begin(); it != starts_.end();) {
    auto outcome = it->second.starting.outcome();
    if (!outcome) {
      ++it;
      continue;
    }
    if (it->second.killed && std::holds_alternative<Pid>(*outcome)) {
      outcome = it->second.starting.given_up();
    }
    const Incarnation worker = it->first;
    it = starts_.erase(it);
    decided_(worker, *outcome);
  }
}

void StartsUnderWay::hurry(bool stopping, Instant now) {
  for (auto& [worker, start] : starts_) {
    if (now < start.next_look) {
      continue;
    }
    start.next_look = now + kBetweenLooks;
    const Pid pid = start.starting.pid();
    (void)sys::send_signal(pid, signals::cont);  // ESRCH: it has just ended
    if (now - start.begun >= (stopping ? kPatienceAtStop : sys::kStartPatience)) {
      (void)sys::send_signal(pid, signals::kill);
      start.killed = true;
    }
  }
  look();
}

std::optional<Instant> StartsUnderWay::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [worker, start] : starts_) {
    next = std::min(next.value_or(start.next_look), start.next_look);
  }
  return next;
}

}  // namespace ni::app
