#include "loop/poll.h"

#include <utility>

namespace ni::loop {

Poll::Poll(uv_loop_t* loop, int fd, OnReady on_ready) {
  auto state = std::make_unique<State>();
  state->on_ready = std::move(on_ready);
  if (uv_poll_init(loop, &state->handle, fd) != 0) return;
  state->handle.data = state.get();
  state_ = state.release();
}

Poll::~Poll() {
  if (state_ == nullptr) return;
  state_->gone = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), [](uv_handle_t* handle) {
    const std::unique_ptr<State> last(static_cast<State*>(handle->data));
  });
}

void Poll::watch(int events) {
  if (state_ == nullptr || events == watched_) return;
  watched_ = events;
  if (events == 0) {
    uv_poll_stop(&state_->handle);
  } else {
    uv_poll_start(&state_->handle, events, on_event);
  }
}

void Poll::on_event(uv_poll_t* handle, int status, int events) {
  auto* state = static_cast<State*>(handle->data);
  if (state->gone) return;
  // An error (EPOLLERR) is told as readiness: the call that follows on the descriptor brings it
  // out.
  state->on_ready(status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

}  // namespace ni::loop
