#include "loop/poll.h"

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "loop/boundary.h"

namespace ni::loop {
namespace {

constexpr std::uint64_t kLookEveryMs = 10;

bool is_lack(int error) {
  return error == UV_ENOSPC || error == UV_ENOMEM;
}

// libuv asks the kernel for a watch when the loop turns next, and aborts if it gets none
// (deps/uv/src/unix/linux.c uv__io_poll()). So it is asked here; libuv takes EEXIST for its own.
bool has_room(uv_loop_t* loop, int fd) {
  ::epoll_event nothing_yet{};
  nothing_yet.data.fd = fd;
  return ::epoll_ctl(uv_backend_fd(loop), EPOLL_CTL_ADD, fd, &nothing_yet) == 0 || errno == EEXIST;
}

}  // namespace

struct Poll::State {
  uv_loop_t* loop;
  int fd;
  OnReady on_ready;
  uv_poll_t handle{};
  uv_timer_t looks{};           // in place of a watch
  bool is_initialized = false;  // the handle
  int open_handles = 1;
  bool gone = false;
  int watched = 0;

  template <class Handle>
  void close(Handle& any) {
    uv_close(reinterpret_cast<uv_handle_t*>(&any), [](uv_handle_t* closed) {
      auto* const state = static_cast<State*>(closed->data);
      if (--state->open_handles == 0) delete state;
    });
  }
};

Poll::Poll(uv_loop_t* loop, int fd, OnReady on_ready)
    : state_(new State{.loop = loop, .fd = fd, .on_ready = std::move(on_ready)}, [](State* state) {
        state->gone = true;
        state->close(state->looks);
        if (state->is_initialized) state->close(state->handle);
      }) {
  uv_timer_init(loop, &state_->looks);  // cannot fail
  state_->looks.data = state_.get();
  const int error = initialize(*state_);
  if (error != 0 && !is_lack(error)) state_.reset();
}

int Poll::initialize(State& state) {
  if (state.is_initialized) return 0;
  const int error = uv_poll_init(state.loop, &state.handle, state.fd);
  if (error == 0) {
    state.is_initialized = true;
    ++state.open_handles;
    state.handle.data = &state;
  }
  return error;
}

Poll::~Poll() = default;

int Poll::watched() const {
  return state_ ? state_->watched : 0;
}

void Poll::watch(int events) {
  if (!state_ || events == state_->watched) return;
  state_->watched = events;
  arm(*state_);
}

void Poll::arm(State& state) {
  const bool can_watch = initialize(state) == 0;
  if (can_watch) uv_poll_stop(&state.handle);
  uv_timer_stop(&state.looks);
  if (state.watched == 0) return;
  if (can_watch && has_room(state.loop, state.fd)) {
    uv_poll_start(&state.handle, state.watched, on_event);
  } else {
    look_later(state);
  }
}

void Poll::look_later(State& state) {
  uv_timer_start(
      &state.looks, [](uv_timer_t* timer) { look(*static_cast<State*>(timer->data)); },
      kLookEveryMs, 0);
}

void Poll::look(State& state) {
  if (state.gone) return;
  ::pollfd question{.fd = state.fd, .events = 0, .revents = 0};
  if ((state.watched & UV_READABLE) != 0) question.events |= POLLIN;
  if ((state.watched & UV_WRITABLE) != 0) question.events |= POLLOUT;
  const bool is_ready = ::poll(&question, 1, 0) > 0;
  int events = 0;
  if ((question.revents & (POLLIN | POLLHUP)) != 0) events |= UV_READABLE;
  if ((question.revents & POLLOUT) != 0) events |= UV_WRITABLE;
  arm(state);  // there may be room again
  if (is_ready) tell(state, (question.revents & POLLERR) != 0 ? state.watched : events);
}

void Poll::tell(State& state, int events) {
  const bool heard = within_boundary([&] { state.on_ready(events); });
  if (heard || state.gone || state.watched == 0) return;
  // It would be told again at once, for ever.
  if (state.is_initialized) uv_poll_stop(&state.handle);
  look_later(state);
}

void Poll::on_event(uv_poll_t* handle, int status, int events) {
  auto* state = static_cast<State*>(handle->data);
  if (state->gone) return;
  // An error (EPOLLERR) is told as readiness: the call that follows on the descriptor brings it
  // out.
  tell(*state, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

}  // namespace ni::loop
