#pragma once

// The controlling terminal and its foreground process group. Nothing here is ever an error: a
// program without a terminal, or with one that is not ours to give away, runs all the same.

#include <optional>

#include "base/types.h"
#include "sys/fd.h"

namespace ni::sys {

// Our controlling terminal, with us in its foreground.
class ForegroundTerminal {
 public:
  // nullopt: no controlling terminal, or somebody else is in its foreground.
  static std::optional<ForegroundTerminal> find() noexcept;

  // For SpawnRequest::foreground_of; borrowed.
  int fd() const noexcept { return opened_ ? opened_.get() : standard_; }

  // Where our group was made outside of our PID namespace it has no name here, and a foreground
  // given away could not be taken back: makes us the leader of a group of our own, in the
  // foreground.
  void lead_foreground_group() noexcept;

  void give_to(Pid group_leader) noexcept;

  // Gives up a descriptor of our own until take_back(); 0–2 are not ours to close.
  void close() noexcept { opened_.reset(); }

  // Puts us into the foreground again, so that whoever runs after us can read the terminal.
  void take_back() noexcept;

 private:
  int standard_ = -1;  // one of 0, 1, 2
  UniqueFd opened_;    // or /dev/tty
};

}  // namespace ni::sys
