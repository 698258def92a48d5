#pragma once

// How a process ended, as waitpid(2) told it.

#include <string>

#include "base/signal.h"

namespace ni {

class ExitStatus {
 public:
  static constexpr ExitStatus exited(int code) { return ExitStatus(code, false, false); }
  static constexpr ExitStatus killed_by(Signal signal, bool core_dumped = false) {
    return ExitStatus(signal.number(), true, core_dumped);
  }

  constexpr bool by_signal() const { return by_signal_; }
  constexpr bool core_dumped() const { return core_dumped_; }
  constexpr bool success() const { return !by_signal_ && number_ == 0; }
  constexpr bool was(Signal signal) const { return by_signal_ && number_ == signal.number(); }
  // What a shell would report: the code itself, or 128 + signal.
  constexpr int as_exit_code() const { return by_signal_ ? 128 + number_ : number_; }
  constexpr bool operator==(const ExitStatus&) const = default;

 private:
  constexpr ExitStatus(int number, bool by_signal, bool core_dumped)
      : number_(number), by_signal_(by_signal), core_dumped_(core_dumped) {}
  int number_;
  bool by_signal_;
  bool core_dumped_;
};

// "exit code 3", "SIGSEGV (core dumped)"
std::string to_string(ExitStatus status);

}  // namespace ni
