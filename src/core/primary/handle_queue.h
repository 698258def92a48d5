#pragma once

// Lines that carry a handle, to one worker. At most one is on its way at any time: a worker answers
// NODE_HANDLE by ACK or NACK without saying which, and two of them in one read of the worker could
// swap their descriptors (Node takes the descriptors of a chunk for its first NODE_HANDLE). A
// handle that the worker could not take (NACK: it had no descriptor left) is sent again, kMostTries
// times in all.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "core/primary/primary_action.h"

namespace ni {

struct Ping {};

struct HandleLine {
  std::string line;
  std::variant<SocketRef, ConnectionId, Ping> carries;
  wire::Answer answer;  // what it answers, for an error in its place; for SocketRef only
};

class HandleQueue {
 public:
  static constexpr unsigned kMostTries = 3;
  static constexpr std::size_t kMostWaiting = 256;

  bool idle() const { return !on_its_way_ && waiting_.empty(); }
  bool full() const { return waiting_.size() >= kMostWaiting; }
  void push(HandleLine line) { waiting_.push_back(std::move(line)); }

  // The line to be sent now, if its time has come. Valid until the next call.
  const HandleLine* next(Instant now) {
    if (on_its_way_ || waiting_.empty()) return nullptr;
    since_ = now;
    on_its_way_ = std::move(waiting_.front());
    waiting_.pop_front();
    tries_ = 1;
    return &*on_its_way_;
  }

  // What the worker answered. nullopt: nothing was on its way, the worker says what it must not.
  std::optional<HandleLine> acknowledged() {
    std::optional<HandleLine> done = std::move(on_its_way_);
    on_its_way_.reset();
    return done;
  }

  // After a NACK of a real handle: send it again, or nullptr when it has been tried often enough.
  const HandleLine* again() {
    if (!on_its_way_ || tries_ >= kMostTries) return nullptr;
    ++tries_;
    return &*on_its_way_;
  }
  const HandleLine* on_its_way() const { return on_its_way_ ? &*on_its_way_ : nullptr; }
  Instant since() const { return since_; }  // when it was first sent, or wait_anew() was called
  void wait_anew(Instant now) { since_ = now; }

  void clear() {
    waiting_.clear();
    on_its_way_.reset();
  }

 private:
  std::optional<HandleLine> on_its_way_;
  std::deque<HandleLine> waiting_;
  unsigned tries_ = 0;
  Instant since_{};
};

}  // namespace ni
