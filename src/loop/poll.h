#pragma once

// Readiness of one descriptor, from libuv. The descriptor is borrowed and must outlive the Poll. A
// Poll may be destroyed at any time, inside its own callback too.

#include <uv.h>

#include <functional>
#include <memory>

namespace ni::loop {

class Poll {
 public:
  using OnReady = std::function<void(int events)>;  // UV_READABLE, UV_WRITABLE

  // Error (code: errno): the descriptor cannot be polled; then watch() has no effect and valid() is
  // false.
  Poll(uv_loop_t* loop, int fd, OnReady on_ready);
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  ~Poll();

  bool valid() const { return state_ != nullptr; }
  // From now on tells of these events; 0: of none. Calls with what is watched already cost nothing.
  void watch(int events);
  int watched() const { return watched_; }

 private:
  struct State {
    uv_poll_t handle{};
    OnReady on_ready;
    bool gone = false;
  };
  static void on_event(uv_poll_t* handle, int status, int events);

  State* state_ = nullptr;  // owned; given to uv_close at the end
  int watched_ = 0;
};

}  // namespace ni::loop
