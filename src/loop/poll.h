#pragma once

// Readiness of one descriptor, from libuv. The descriptor is borrowed and must outlive the Poll. A
// Poll may be destroyed at any time, inside its own callback too.
//
// Where the kernel has no room for one more watch (fs.epoll.max_user_watches counts those of all
// processes of a user, epoll(7)), libuv would abort. Then the descriptor is looked at a hundred times
// a second, until there is room; and as often after a callback for which there was no memory.

#include <uv.h>

#include <functional>
#include <memory>

namespace ni::loop {

class Poll {
 public:
  using OnReady = std::function<void(int events)>;  // UV_READABLE, UV_WRITABLE

  // A descriptor that cannot be polled (a regular file): watch() has no effect, valid() is false.
  Poll(uv_loop_t* loop, int fd, OnReady on_ready);
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  ~Poll();

  bool valid() const { return state_ != nullptr; }
  // From now on tells of these events; 0: of none. Calls with what is watched already cost nothing.
  void watch(int events);
  int watched() const;

 private:
  struct State;
  static void on_event(uv_poll_t* handle, int status, int events);
  static void tell(State& state, int events);
  static int initialize(State& state);  // libuv's error, 0: done
  static void arm(State& state);
  static void look_later(State& state);
  static void look(State& state);

  std::unique_ptr<State, void (*)(State*)> state_;
};

}  // namespace ni::loop
