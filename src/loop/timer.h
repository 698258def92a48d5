#pragma once

// A timer of libuv's. May be destroyed at any time, inside its own callback too.

#include <uv.h>

#include <chrono>
#include <functional>

namespace ni::loop {

class Timer {
 public:
  Timer(uv_loop_t* loop, std::function<void()> on_time);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // In place of what was set before. `every`: 0 is once. Counted from now, rounded up to
  // milliseconds; what is over already comes in the next turn.
  void start(std::chrono::nanoseconds after, std::chrono::nanoseconds every = {});
  void stop();
  bool is_active() const;

 private:
  struct State {
    uv_timer_t handle{};
    std::function<void()> on_time;
    bool gone = false;
  };
  State* state_;  // owned; given to uv_close at the end
};

}  // namespace ni::loop
