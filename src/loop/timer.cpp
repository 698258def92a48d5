#include "loop/timer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "loop/boundary.h"

namespace ni::loop {
namespace {

std::uint64_t milliseconds(std::chrono::nanoseconds duration) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(rounded, 0));
}

}  // namespace

Timer::Timer(uv_loop_t* loop, std::function<void()> on_time) : state_(new State) {
  state_->on_time = std::move(on_time);
  state_->handle.data = state_;
  uv_timer_init(loop, &state_->handle);  // cannot fail
}

Timer::~Timer() {
  state_->gone = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle), [](uv_handle_t* handle) {
    const std::unique_ptr<State> last(static_cast<State*>(handle->data));
  });
}

void Timer::start(std::chrono::nanoseconds after, std::chrono::nanoseconds every) {
  uv_update_time(state_->handle.loop);  // libuv counts from the time at which the turn began
  uv_timer_start(
      &state_->handle,
      [](uv_timer_t* handle) {
        auto* const state = static_cast<State*>(handle->data);
        if (!state->gone) {
          within_boundary([state] { state->on_time(); });
        }
      },
      milliseconds(after), milliseconds(every));
}

void Timer::stop() {
  uv_timer_stop(&state_->handle);
}

bool Timer::is_active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&state_->handle)) != 0;
}

}  // namespace ni::loop
