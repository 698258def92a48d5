#pragma once

// The terminal of a cluster (`docker run -it`, a shell): one keyboard for many workers.
//
// A program that may be a job (the first worker, alone) is in the foreground as in single mode: it
// may ask questions, and Ctrl-C is its own. Once it is known to be a server we are, and Ctrl-C
// stops the service. A worker that then reads the terminal all the same is stopped by the kernel
// (SIGTTIN, termios(3)); it is put into the foreground and goes on, and Ctrl-C is its own again,
// unless it dies of it. The other workers' standard input is /dev/null, as a shell gives it to a
// job in the background.

#include <optional>

#include "base/types.h"
#include "sys/fd.h"
#include "sys/terminal.h"

namespace ni::app {

class TerminalLease {
 public:
  // Without a terminal that is ours to give away everything below does nothing.
  static TerminalLease find();

  bool exists() const { return terminal_.has_value(); }
  // For SpawnRequest::foreground_of; -1: none. After the spawn: taken_by().
  int fd() const { return terminal_ ? terminal_->fd() : -1; }
  // A standard input for those who do not get the keyboard; -1: ours will do.
  int other_input() const { return null_.get(); }

  std::optional<Pid> holder() const { return holder_; }
  // It may be a job, and is alone: what the terminal has to say is for it.
  std::optional<Pid> lone_holder() const { return holder_was_alone_ ? holder_ : std::nullopt; }
  // It had been put into the foreground when it was spawned.
  void taken_by(Pid worker);
  // It was stopped because it is not in the foreground.
  void give_to(Pid worker);
  void take_back();
  // The program is a server now: whoever was alone has no claim any more.
  void end_of_being_alone();

 private:
  std::optional<sys::ForegroundTerminal> terminal_;
  sys::UniqueFd null_;
  std::optional<Pid> holder_;
  bool holder_was_alone_ = false;
};

}  // namespace ni::app
