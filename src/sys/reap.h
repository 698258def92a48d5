#pragma once

// The only place that waits for processes. Everything that ends below us arrives here: workers, and
// orphans that the kernel made ours. SIGCHLD is merged by the kernel (signal(7)), so one signal may
// stand for thousands: call reap() until it has nobody more.

#include <optional>
#include <string>
#include <vector>

#include "base/exit_status.h"
#include "base/signal.h"
#include "base/types.h"

namespace ni::sys {

struct Ended {
  Pid pid;
  ExitStatus status;
  // The most memory that was resident of it, or of a process that it waited for (getrusage(2),
  // ru_maxrss). nullopt: the kernel does not count it.
  std::optional<Bytes> peak_memory = std::nullopt;
};

struct Reaped {
  std::optional<Ended> ended;  // nullopt: nobody has ended since
  bool anyone_left =
      true;  // meaningful when `ended` is empty: false once there is nobody to wait for
};

// Takes one that has ended, at once, never waiting.
Reaped reap() noexcept;

// Takes one that a signal has stopped since it was last asked for, at once.
struct Stopped {
  Pid pid;
  Signal by;
};
std::optional<Stopped> take_stopped() noexcept;

// Makes orphans below us ours when we are not PID 1 (prctl(2), PR_SET_CHILD_SUBREAPER). Silent:
// without it they go to somebody else, which is how it is for any program.
void adopt_orphans() noexcept;

// Sends `signal` to all that is left below us. As PID 1 that is everybody (kill(-1)). Otherwise
// everybody found below us in /proc; without /proc the process group led by `main_worker`, which is
// all that we can name then.
void signal_everyone_left(Signal signal, std::optional<Pid> main_worker) noexcept;

// Whether it is on its way to its end: SIGKILL is pending, or it has begun to exit, or it waits to be
// reaped. True when the kernel does not tell.
bool is_ending(Pid pid);

// Who is left below us, as signal_everyone_left() would find them; at most `most`, zombies excluded.
struct LeftOver {
  Pid pid;
  std::string name;  // its command's, at most 15 bytes (proc(5), comm)
};
std::vector<LeftOver> everyone_left(std::size_t most);

}  // namespace ni::sys
