#include "loop/log_outlet.h"

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "sys/clock.h"

namespace ni::loop {
namespace {

// An epoll instance that tells once, when asked, that `fd` takes bytes again; empty when that
// cannot be.
sys::UniqueFd watch_by_epoll(int fd) {
  if (fd < 0) return {};
  sys::UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event quiet{.events = EPOLLONESHOT, .data = {}};
  if (!epoll || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &quiet) != 0) return {};
  return epoll;
}

}  // namespace

LogOutlet::LogOutlet(uv_loop_t* loop, sys::Output output, WhenFull when_full, Callbacks callbacks)
    : output_(std::move(output)),
      when_full_(when_full),
      callbacks_(std::move(callbacks)),
      epoll_(watch_by_epoll(output_.watched())),
      room_(loop, epoll_.get(), [this](int) { flush(); }) {}

void LogOutlet::write(std::string_view block, std::uint64_t lines, Begins begins) {
  if (held_bytes() > kMostHeld && when_full_ == WhenFull::drop) {
    untold_lines_ += lines;
    untold_bytes_ += block.size();
    counters_.dropped_lines += lines;
    counters_.dropped_bytes += block.size();
    return;
  }
  tell_of_dropped();
  add(block, begins);
  tell_trouble();
}

bool LogOutlet::write_own(std::string_view line) {
  if (held_bytes() > kMostHeld + kMostOwn) return false;
  if (when_full_ == WhenFull::wait && held_bytes() > 0 && own_held_ + line.size() > kMostOwn) {
    return false;
  }
  if (held_bytes() > 0) own_held_ += line.size();
  add(line, Begins::a_line);
  return true;
}

void LogOutlet::tell_of_dropped() {
  if (untold_lines_ == 0 && untold_bytes_ == 0) return;
  const std::uint64_t lines = std::exchange(untold_lines_, 0);
  const std::uint64_t bytes = std::exchange(untold_bytes_, 0);
  if (callbacks_.dropped) add(callbacks_.dropped(lines, bytes), Begins::a_line);
}

// Behind all that was given before.
void LogOutlet::add(std::string_view bytes, Begins begins) {
  if (bytes.empty()) return;
  if (std::exchange(mid_line_, bytes.back() != '\n') && begins == Begins::a_line) {
    if (held_bytes() > 0 || send("\n") == 0) hold("\n");
  }
  if (held_bytes() == 0) bytes.remove_prefix(send(bytes));
  if (!bytes.empty()) hold(bytes);
}

// How many bytes are done with: taken by the kernel, or lost by an error other than EAGAIN.
std::size_t LogOutlet::send(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const sys::Output::Written written = output_.write(bytes.substr(done));
    if (written.bytes == 0 && written.error == EAGAIN && room_.valid()) {
      if (output_.widen(kPipeRoom)) continue;
      break;
    }
    if (written.bytes == 0) {
      counters_.lost_bytes += bytes.size() - done;
      error_ = written.error;
      mid_line_ = last_taken_ != '\n';  // torn: whatever comes next begins a line
      return bytes.size();
    }
    done += written.bytes;
    last_taken_ = bytes[done - 1];
    counters_.bytes += written.bytes;
    error_ = 0;
  }
  return done;
}

void LogOutlet::hold(std::string_view bytes) {
  if (held_bytes() == 0) {
    ++counters_.waits;
    wait_for_room();
  }
  if (held_done_ > kMostHeld) {
    held_.erase(0, held_done_);
    held_done_ = 0;
  }
  held_ += bytes;
}

void LogOutlet::wait_for_room() {
  epoll_event room{.events = EPOLLOUT | EPOLLONESHOT, .data = {}};
  (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, output_.watched(), &room);  // was added: cannot fail
  room_.watch(UV_READABLE);
}

void LogOutlet::flush() {
  if (held_bytes() == 0) return;
  held_done_ += send(std::string_view(held_).substr(held_done_));
  if (held_bytes() > 0) {
    wait_for_room();
    return tell_trouble();
  }
  room_.watch(0);
  // A burst must not keep its memory for ever.
  held_ = {};
  held_done_ = 0;
  own_held_ = 0;
  if (when_full_ == WhenFull::drop) tell_of_dropped();
  tell_trouble();
  if (callbacks_.unblocked) callbacks_.unblocked();
}

void LogOutlet::finish(Duration limit) {
  for (const Instant end = sys::now() + limit; held_bytes() > 0 && sys::now() < end; flush()) {
    pollfd room{output_.watched(), POLLOUT, 0};
    (void)poll(&room, 1, 10);  // whatever it says, the write finds out
  }
}

// Not from within send(): who is told may have something to say, which comes back here by
// write_own().
void LogOutlet::tell_trouble() {
  if (std::exchange(told_error_, error_) != error_ && callbacks_.trouble)
    callbacks_.trouble(error_);
}

}  // namespace ni::loop
