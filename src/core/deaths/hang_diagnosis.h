#pragma once

// What an unresponsive worker's main thread does, from two looks at it a moment apart. Node runs
// JavaScript on the main thread alone: it computes for ever, or it waits in the kernel for what
// does not come (Atomics.wait, execSync, a file on a dead file system), or somebody has stopped it.

#include <string>
#include <vector>

#include "base/types.h"

namespace ni {

// One look (sys/main_thread.h).
struct ThreadLook {
  char state = '?';                  // as proc(5) has it: R, S, D, T, t …
  Duration cpu{};                    // of this thread, user and system
  std::string kernel_function;       // where it waits; empty: it runs, or may not be seen
  std::string system_call;           // "futex"; empty as above
  std::vector<std::string> started;  // processes it has started and that run: "12 (sleep)"
};

struct HangDiagnosis {
  enum class Finds : std::uint8_t {
    computing,
    waiting,  // in the kernel
    starved,  // it could run and gets no CPU
    stopped,  // SIGSTOP, SIGTSTP: not by itself
    resumed,  // it was stopped and is not any more: it has had no time to answer
    traced    // by a debugger
  };
  Finds finds = Finds::waiting;
  std::string text;  // "its main thread computes (98% of a CPU)"
};

HangDiagnosis diagnose(const ThreadLook& first, const ThreadLook& second, Duration between);

}  // namespace ni
