#pragma once

// How nodeinit takes part in signals: it has no handlers. Everything is blocked from the first
// statement of main on and read when we choose to, with sigwaitinfo (single mode) or a signalfd
// (cluster mode).
//
// signal(7): a blocked signal is kept pending even where its disposition is "ignore", and even for
// PID 1, whose default dispositions the kernel drops. So nothing is lost from the moment of
// blocking on, and what the parent had blocked, ignored or left pending at exec reaches us too. A
// SIGSEGV of our own still kills us: the kernel forces a synchronous fault through the mask. One
// sent by somebody else is an ordinary signal, to be forwarded.

#include <optional>

#include "base/result.h"
#include "base/signal.h"
#include "base/types.h"
#include "sys/fd.h"

namespace ni::sys {

// One signal as it arrived.
struct ReceivedSignal {
  Signal signal;
  int code = 0;    // si_code: SI_USER, SI_QUEUE, SI_KERNEL, CLD_EXITED…
  int sender = 0;  // pid of the sender; 0: the kernel, or a process outside of our PID namespace
  std::optional<SignalValue> value = std::nullopt;  // code is SI_QUEUE

  // The kernel sent it (a terminal, a limit), not a process.
  bool from_kernel() const noexcept { return code > 0; }
  // The kernel's answer to something that we did ourselves, e.g. SIGPIPE for a write of ours:
  // nothing to pass on.
  bool is_about_us() const noexcept;
};

// The first statement of main. Blocks all signals, 32 and 33 of the thread library too (as PID 1 of
// nobody's thread we must not die of them either), and gives SIGCHLD its default disposition: where
// our parent ignored it the kernel would throw away the exit status of our workers (waitpid(2),
// NOTES).
void block_all_signals() noexcept;

// For a program that is no PID 1 after all (`nodeinit ctl`): from now on signals act as usual.
void unblock_all_signals() noexcept;

// Waits for the next signal, for as long as it takes, without any wake-up in between.
ReceivedSignal wait_for_signal() noexcept;

// nullopt: nothing came within `limit`.
std::optional<ReceivedSignal> wait_for_signal(Duration limit) noexcept;

// For an event loop: a non-blocking signalfd(2) of all signals but 32 and 33.
Result<UniqueFd> open_signal_fd();

// The next pending signal of that descriptor; nullopt: none now.
std::optional<ReceivedSignal> read_signal(int signal_fd) noexcept;

// With a value it is queued (sigqueue(3)) in its turn, or becomes a plain one where the receiver's
// queue is full. ESRCH when it is gone. A zombie swallows signals without an error.
Result<void> send_signal(Pid to, Signal signal, std::optional<SignalValue> value = std::nullopt);

// To every process of the group led by `leader`. A value arrives where the leader has started nobody:
// kill(2) has none for a group.
Result<void> send_signal_to_group(Pid leader, Signal signal,
                                  std::optional<SignalValue> value = std::nullopt);

}  // namespace ni::sys
