#pragma once

// The primary's end of a worker's IPC channel: lines come in, lines with at most one descriptor go
// out. Never blocks. What a worker does not read waits here, bounded; and while it does, nothing is
// read from that worker either, so that it cannot make us answer without end. Descriptors that a
// worker sends are closed at once (wire/node_ipc.h).

#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loop/poll.h"
#include "sys/fd.h"
#include "wire/node_ipc.h"

namespace ni::loop {

class Channel {
 public:
  static constexpr std::size_t kPauseAbove = std::size_t{64}
                                             << 10U;  // bytes waiting: reading rests
  static constexpr std::size_t kMostWaiting = std::size_t{1}
                                              << 20U;  // bytes waiting: more are dropped

  using OnLines = std::function<void(std::span<const wire::IpcLine>)>;
  // The worker has closed its end, or the channel is broken. Told once, the last call; may destroy
  // the Channel.
  using OnEnd = std::function<void()>;

  Channel(uv_loop_t* loop, sys::UniqueFd fd, OnLines on_lines, OnEnd on_end);

  // The descriptor is borrowed for the call; it is copied if it has to wait. -1: none.
  void send(std::string_view line, int descriptor = -1);
  // Reads and drops from now on; the end is still told.
  void ignore_input() { ignoring_ = true; }

  void expect_metrics(bool expected) { reader_.expect_metrics(expected); }

  std::uint64_t user_messages() const { return reader_.user_messages(); }
  bool speaks_bun() const { return reader_.speaks_bun(); }
  std::uint64_t dropped_lines() const { return dropped_lines_; }

 private:
  struct Waiting {
    std::string bytes;
    sys::UniqueFd descriptor;
  };
  void ready(int events);
  bool read();  // false: the end
  void write();
  void rearm();
  void wait(std::string_view bytes, int descriptor);

  sys::UniqueFd fd_;
  Poll poll_;
  OnLines on_lines_;
  OnEnd on_end_;
  wire::IpcReader reader_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool ignoring_ = false;
  bool broken_ = false;
  std::uint64_t dropped_lines_ = 0;
};

}  // namespace ni::loop
