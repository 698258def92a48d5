#pragma once

// Our stdout or stderr as the place where all workers' lines come out: one block of whole lines
// after the other, none torn by another, and never waiting. What the kernel does not take is held;
// while something is held the outlet is blocked, and its writers leave their text where it is (in
// the kernel's pipes: a slow reader slows the workers down, our memory stays flat). With
// WhenFull::drop, lines that find no room are dropped instead, counted, and a line that says so
// takes their place.
//
// What nobody will ever read (EPIPE), or what fails (ENOSPC, EIO), is lost and counted: the workers
// go on.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "loop/poll.h"
#include "sys/fd.h"
#include "sys/output.h"

namespace ni::loop {

enum class WhenFull : std::uint8_t { wait, drop };

struct OutletCounters {
  std::uint64_t bytes = 0;          // taken by the kernel
  std::uint64_t dropped_lines = 0;  // WhenFull::drop
  std::uint64_t dropped_bytes = 0;
  std::uint64_t lost_bytes = 0;  // the output failed
  std::uint64_t waits = 0;       // times that the output was full
};

class LogOutlet {
 public:
  // Renders the line that stands for dropped ones.
  using Notice = std::function<std::string(std::uint64_t lines, std::uint64_t bytes)>;

  struct Callbacks {
    std::function<void()> unblocked;         // takes_more() is true again
    std::function<void(int error)> trouble;  // the first error since it last worked; 0: works again
    Notice dropped;
  };

  LogOutlet(uv_loop_t* loop, sys::Output output, WhenFull when_full, Callbacks callbacks);

  // False: the block given to write() now would have to be held in full.
  bool takes_more() const { return held_bytes() == 0 || when_full_ == WhenFull::drop; }

  enum class Begins : std::uint8_t { a_line, where_it_is };

  // A block of whole lines; the last may lack its newline at the end of a worker's text, what
  // `begins` a line then begins with one. Precondition: takes_more().
  void write(std::string_view block, std::uint64_t lines, Begins begins = Begins::a_line);

  // A line of nodeinit's own, never amid another. False: too much is held already, the line is
  // refused.
  bool write_own(std::string_view line);

  // Tries again what is held. Blocks nobody.
  void flush();
  // Blocks up to the limit until nothing is held: for the very end, when there is nobody left to
  // wait for us.
  void finish(Duration limit);

  std::size_t held_bytes() const { return held_.size() - held_done_; }
  bool is_tty() const { return output_.is_tty(); }
  const sys::Output& output() const { return output_; }
  const OutletCounters& counters() const { return counters_; }

  // What a pipe is widened to when it is full for the first time. With the usual 64 KiB our blocks
  // and the reader wait for each other: up to twice as slow (tests/bench/logs.py). More gains little,
  // and would count against the limit that the pipes of all containers of a user share
  // (fs.pipe-user-pages-soft, 64 MiB; who is over it gets pipes of two pages). For that reason the
  // workers' pipes, which are many, stay as they are: widened, too, they would gain writers that
  // pour a tenth.
  static constexpr std::size_t kPipeRoom = 256 * 1024;
  static constexpr std::size_t kMostOwn = 64 * 1024;     // of our own lines, behind a held block
  static constexpr std::size_t kMostHeld = 1024 * 1024;  // with WhenFull::drop

 private:
  std::size_t send(std::string_view bytes);
  void hold(std::string_view bytes);
  void add(std::string_view bytes, Begins begins);
  void tell_of_dropped();
  void wait_for_room();
  void tell_trouble();

  sys::Output output_;
  WhenFull when_full_;
  Callbacks callbacks_;
  sys::UniqueFd epoll_;  // holds the inherited descriptor: see sys::Output::watched
  Poll room_;
  std::string held_;
  std::size_t held_done_ = 0;  // so much of held_ is out
  std::size_t own_held_ = 0;   // so much of held_ are lines of our own
  bool mid_line_ = false;      // the last byte given was no newline
  char last_taken_ = '\n';     // by the kernel
  int error_ = 0;              // of the last write
  int told_error_ = 0;
  std::uint64_t untold_lines_ = 0;
  std::uint64_t untold_bytes_ = 0;
  OutletCounters counters_;
};

}  // namespace ni::loop
