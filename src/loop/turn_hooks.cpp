#include "loop/turn_hooks.h"

#include <algorithm>

#include "loop/boundary.h"

namespace ni::loop {

struct TurnHooks::State {
  uv_prepare_t before_sleep{};
  uv_check_t after_waking{};
  uv_timer_t timer{};
  std::function<void()> turn;
  std::optional<Instant> armed_for;
  int open_handles = 3;
};

namespace {

template <class State, class Handle>
State& state_of(Handle* handle) {
  return *static_cast<State*>(handle->data);
}

}  // namespace

TurnHooks::TurnHooks(uv_loop_t* loop, std::function<void()> turn) : state_(new State) {
  state_->turn = std::move(turn);
  state_->before_sleep.data = state_->after_waking.data = state_->timer.data = state_;
  // None of these can fail (libuv: "always succeeds") once the loop itself exists.
  uv_prepare_init(loop, &state_->before_sleep);
  uv_check_init(loop, &state_->after_waking);
  uv_timer_init(loop, &state_->timer);
  uv_prepare_start(&state_->before_sleep,
                   [](uv_prepare_t* handle) { within_boundary(state_of<State>(handle).turn); });
  uv_check_start(&state_->after_waking,
                 [](uv_check_t* handle) { within_boundary(state_of<State>(handle).turn); });
}

TurnHooks::~TurnHooks() {
  const auto closed = [](uv_handle_t* handle) {
    State* state = &state_of<State>(handle);
    if (--state->open_handles == 0) {
      delete state;
    }
  };
  state_->turn = [] {};
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->before_sleep), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->after_waking), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->timer), closed);
}

void TurnHooks::wake_at(std::optional<Instant> deadline, Instant now) {
  if (!deadline) {
    uv_timer_stop(&state_->timer);
    state_->armed_for.reset();
    return;
  }
  if (deadline == state_->armed_for &&
      uv_is_active(reinterpret_cast<uv_handle_t*>(&state_->timer)) != 0) {
    return;
  }
  state_->armed_for = deadline;
  // libuv counts in whole milliseconds from the loop's cached time: bring that up to date, round
  // up.
  uv_update_time(state_->timer.loop);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now).count();
  uv_timer_start(
      &state_->timer, [](uv_timer_t*) {}, left > 0 ? static_cast<std::uint64_t>(left) : 0, 0);
}

}  // namespace ni::loop
