#pragma once

// Single mode where somebody wants the termination log: the worker's stderr is a pipe of ours, and
// what comes out of it goes to our stderr as it comes, byte for byte, an unfinished line too; its
// end is kept for the last words.
//
//   open         pipe and signalfd; write_end() becomes descriptor 2 of the worker and the hooks
//   close_write  nobody more will be started: the end of the pipe can be seen
//   wait         in place of sys::wait_for_signal: passes on what comes meanwhile
//   take_words   a process has ended: what it said. What the pipe still holds is read at once.
//                Those who hold the pipe on are waited for by nobody, their text still passes
//   finish       the very end: what is left, with a bounded wait
//
// Never blocks on our stderr: what that does not take is held, and the pipe is not read until it
// does, so that a slow reader slows the writers down. Held are at most a block, and what the pipe
// had at a process' end. What nobody will ever read (EPIPE) or what fails is lost, and the worker
// goes on.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "base/user_ids.h"
#include "sys/fd.h"
#include "sys/output.h"
#include "sys/signals.h"

namespace ni::app {

class StderrRelay {
 public:
  // The pipe belongs to `user` (nullptr: to ours).
  static Result<StderrRelay> open(const UserIds* user);

  int write_end() const { return pipe_.write_end.get(); }
  void close_write_end() { pipe_.write_end.reset(); }

  // The next signal; nullopt: none came until `deadline`, where there is one. A flood of output
  // does not keep signals waiting, nor the reverse: a block is passed on for each.
  std::optional<sys::ReceivedSignal> wait_for_signal(std::optional<Instant> deadline);

  // What came since the last call: at most kMostWords bytes from its end, from the beginning of a
  // line.
  std::string take_words();

  // A line of nodeinit's own, never amid another. False: too much is held already.
  bool write_own(std::string_view line);

  // Blocks up to `limit` until nothing is held and the pipe is empty.
  void finish(Duration limit);

  // Closes every descriptor from 3 on but its own and `other` (-1: none).
  void close_all_others(int other);

  static constexpr std::size_t kMostWords = 8192;

 private:
  StderrRelay(sys::Pipe pipe, sys::UniqueFd signals);

  bool read_block(std::size_t most);
  void pass_on(std::string_view bytes);
  void flush();
  std::size_t send(std::string_view bytes);
  void take_rest();
  void remember(std::string_view bytes);

  sys::Pipe pipe_;
  sys::UniqueFd signals_;  // only to be polled: signals are taken as without a relay
  sys::Output output_;
  std::unique_ptr<char[]> block_;
  std::string held_;  // read, and not yet taken by our stderr
  std::string words_;
  bool words_cut_ = false;
  bool mid_line_ = false;  // the last byte given was no newline
};

}  // namespace ni::app
