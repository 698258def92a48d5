#pragma once

// The hooks of the one loop: a turn is taken right before libuv sleeps and right after it woke, and
// one timer wakes it for the next deadline.

#include <uv.h>

#include <functional>
#include <optional>

#include "base/types.h"

namespace ni::loop {

class TurnHooks {
 public:
  TurnHooks(uv_loop_t* loop, std::function<void()> turn);
  TurnHooks(const TurnHooks&) = delete;
  TurnHooks& operator=(const TurnHooks&) = delete;
  ~TurnHooks();

  // The loop wakes at that instant at the latest, at once when it has passed; nullopt: the timer is
  // off.
  void wake_at(std::optional<Instant> deadline, Instant now);

 private:
  struct State;
  State* state_;  // owned; lives until libuv has closed its handles
};

}  // namespace ni::loop
