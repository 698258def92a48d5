#pragma once

// The workers' output on its way to ours. Each worker writes stdout and stderr into a pipe each;
// the pump reads bounded amounts, cuts lines (wire/log_lines.h) and writes whole ones to our stdout
// and stderr (loop/log_outlet.h).
//
// Text behind the last newline (a prompt, dots of progress, protocols framed by length) passes at
// once while one worker runs. Beside others it passes when for kPause neither its writer has gone on
// nor anybody else has spoken; in json it waits for its newline.
//
//   open       two pipes for a worker that is about to be spawned; the worker's ends go to it and
//              are then closed here
//   set_pid    its pid is known (json names it)
//   closed     it was reaped. What its pipes still hold is read at once, so that last_words() are
//              the last ones. Something that it started may hold the pipes on: its text still
//              comes, but ends nothing and is waited for by nobody ("orphans", at most
//              kMostOrphans workers' worth).
//
// Memory: one read buffer for all; per pipe the beginning of a line (at most
// LogRendering::largest_line); per output one block in flight. A pipe whose output is full is not
// read (WhenFull::wait), in turn with the others.
//
// What is not to be read (LogReads) has no pipe: open() gives no end for it, the worker gets our
// descriptor; without stderr there are no last words. Our own messages still pass (write_own), so
// that they never wait and never block.

#include <uv.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "loop/log_outlet.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "sys/fd.h"
#include "wire/log_lines.h"

namespace ni::loop {

// What of a worker's output is read. Only stderr: for the sake of its last words; it is to be
// passed on as it comes (LogShape::as_is).
enum class LogReads : std::uint8_t {
  everything,
  only_stderr,
  only_stderr_after_failure,  // of workers that follow a failed one: a crash loop is explained
  nothing
};

struct LogSettings {
  LogReads reads = LogReads::everything;
  wire::LogRendering rendering = {};  // its colour only where the output is a tty
  WhenFull when_full = WhenFull::wait;
};

struct LogCounters {
  struct Stream {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;  // read from workers
  };
  std::array<Stream, 2> streams;  // by wire::LogStream
  std::uint64_t lines_split = 0;
  std::uint64_t lines_dropped = 0;  // WhenFull::drop
  std::uint64_t bytes_dropped = 0;
  std::uint64_t bytes_lost = 0;  // our output failed
  std::uint64_t waits = 0;       // times that an output was full
};

class LogPump {
 public:
  // What happened to stdout or stderr (errno; 0: it works again), e.g. EPIPE. Told once per change.
  using OnTrouble = std::function<void(wire::LogStream stream, int error)>;

  LogPump(uv_loop_t* loop, const LogSettings& settings, OnTrouble on_trouble = {});
  // As above, with these in the place of descriptors 1 and 2 (tests).
  LogPump(uv_loop_t* loop, const LogSettings& settings, OnTrouble on_trouble, int out, int err);
  LogPump(const LogPump&) = delete;
  LogPump& operator=(const LogPump&) = delete;
  ~LogPump();

  struct Ends {
    sys::UniqueFd out, err;  // empty: it gets ours
  };
  // after_failure: a worker or hook before it has failed.
  Result<Ends> open(Incarnation worker, std::string program, SlotId slot, bool after_failure);
  void set_pid(Incarnation worker, Pid pid);
  void closed(Incarnation worker);

  // Its last lines of stderr, at most kMostWords bytes, without the newline at the end. While it
  // lives, and for the last few that have died. nullopt: they passed us by.
  std::optional<std::string> last_words(Incarnation worker) const;

  // A line of nodeinit's own, to stderr. False: too many wait already, this one is refused.
  bool write_own(std::string_view line);

  // Workers have our own stdout: what passes here is not their output as a whole.
  bool inherits() const { return settings_.reads != LogReads::everything; }

  // Nothing that was read waits to be written.
  bool idle() const;
  // For the very end, when all workers are reaped: takes what is left in the pipes and blocks until
  // it is out, at most for `limit`.
  void finish(Duration limit);

  LogCounters counters() const;

  static constexpr std::size_t kBlock = 64 * 1024;  // read at once; a pipe's usual capacity
  // V8 writes up to 4 KiB of native stack after the line that says why it aborts (Node 20 to 26).
  static constexpr std::size_t kMostWords = 8192;
  static constexpr std::size_t kMostOrphans = 64;
  static constexpr Duration kPause = 10ms;
  static constexpr std::size_t kWordsKept = 8;  // dead workers whose last words are known

 private:
  struct Worker;
  struct Stream;
  struct Outlet;

  LogOutlet& err_outlet();
  Outlet& outlet_of(wire::LogStream stream);
  void attach(Worker& worker, wire::LogStream stream, sys::UniqueFd fd);
  void on_readable(Stream& stream);
  void serve_waiting(Outlet& outlet);
  bool reads_stderr(bool after_failure) const;
  std::optional<std::string_view> read_some(Stream& stream, std::size_t most);
  void take(Stream& stream, std::string_view read);
  void end_of_text(Stream& stream);
  void pass(Stream& stream, std::string_view text, bool unfinished_too = false);
  void pass_kept(Stream& stream);
  void take_rest(Stream& stream);
  void wait_for_turn(Stream& stream);
  void settle(Stream& stream);
  void bound_orphans();
  bool is_alone() const;
  void pass_unfinished();

  uv_loop_t* loop_;
  LogSettings settings_;
  Timer pause_;                                   // runs while unfinished text waits for its time
  std::vector<std::unique_ptr<Outlet>> outlets_;  // one, when stdout and stderr are the same object
  std::map<Incarnation, std::unique_ptr<Worker>> workers_;
  std::deque<std::pair<Incarnation, std::string>> past_words_;
  std::unique_ptr<char[]> buffer_;
  fmt::memory_buffer scratch_;
  LogCounters counters_;
};

}  // namespace ni::loop
