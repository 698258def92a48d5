#pragma once

// Tells when one of the container's limits may have changed. The truth is a read of the kept
// descriptors every other second; inotify makes it quicker where it works. At most one check a
// second, whatever happens. Now and then it tells without a sign of change: limits above what can
// be seen, files that appear, a move to another group. Destroyed, nothing is left that wakes us.

#include <uv.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "loop/poll.h"
#include "sys/file_hints.h"
#include "sys/kept_file.h"

namespace ni::loop {

class LimitWatch {
 public:
  // Called from the loop, never from within the constructor.
  using OnChange = std::function<void()>;

  // `on_look` is called at each look, whether there is a change or not: who else has to look now and
  // then needs no timer, and no waking, of its own.
  LimitWatch(uv_loop_t* loop, std::span<const std::string> paths, OnChange on_change,
             OnChange on_look = {});
  LimitWatch(const LimitWatch&) = delete;
  LimitWatch& operator=(const LimitWatch&) = delete;
  ~LimitWatch();

  // Watches these files from now on; the number of those that could be opened.
  std::size_t watch(std::span<const std::string> paths);

 private:
  struct Kept {
    sys::KeptFile file;
    std::string text;
  };
  struct Timer {
    uv_timer_t handle{};
    LimitWatch* owner = nullptr;
  };
  void on_tick();
  void on_hint();
  void check(bool certainly);
  bool texts_changed();

  uv_loop_t* loop_;
  OnChange on_change_;
  OnChange on_look_;
  std::vector<Kept> kept_;
  std::optional<sys::FileHints> inotify_;
  std::unique_ptr<Poll> hints_;
  Timer* timer_;  // owned; given to uv_close at the end
  unsigned ticks_ = 0;
  std::uint64_t checked_at_ms_ = 0;  // uv_now
  bool hinted_ = false;              // by inotify, too soon after the last check
};

}  // namespace ni::loop
