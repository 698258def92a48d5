#pragma once

// A look at the main thread of a process, from /proc/<pid>/task/<pid>: what may be seen without any
// right. What may not (the system call of another user's process, kernel functions where they are
// hidden) is empty.

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ni::sys {

struct MainThread {
  char state = '?';
  Duration cpu{};
  std::string kernel_function;
  std::string system_call;           // its name, or "system call 123"
  std::vector<std::string> started;  // processes that run: "12 (sleep)"; at most a few
};
// Error ENOENT or ESRCH: it is gone.
Result<MainThread> look_at_main_thread(Pid pid);

// The state alone; '?' when it is gone.
char state_of(Pid pid);

}  // namespace ni::sys
