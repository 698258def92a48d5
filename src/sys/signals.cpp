#include "sys/signals.h"

#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "sys/descendants.h"

namespace ni::sys {
namespace {

// The kernel's sigset: one bit per signal, without the thread library's exceptions.
using KernelSignalSet = std::uint64_t;

// All but 32 and 33. Not sigfillset(3): musl's leaves out 34 too.
sigset_t all_signals() noexcept {
  constexpr KernelSignalSet all = ~(KernelSignalSet{3} << 31U);
  sigset_t set;
  sigemptyset(&set);
  std::memcpy(&set, &all, sizeof all);
  return set;
}

std::optional<ReceivedSignal> received(const siginfo_t& info) noexcept {
  const auto signal = Signal::from(info.si_signo);
  if (!signal) {
    return std::nullopt;
  }
  // si_pid and si_value share a union with other members in codes > 0; ours are read for the codes
  // that have them.
  const bool queued = info.si_code == SI_QUEUE;
  const bool has_sender = info.si_code <= 0 || *signal == signals::child;
  return ReceivedSignal{
      .signal = *signal,
      .code = info.si_code,
      .sender = has_sender ? info.si_pid : 0,
      .value = queued ? std::optional(reinterpret_cast<SignalValue>(info.si_value.sival_ptr))
                      : std::nullopt};
}

Error cannot_signal(Signal signal, int target) {
  return Error{.operation = "send " + to_string(signal) + " to",
               .subject = "process " + std::to_string(target),
               .code = errno,
               .reason = {}};
}

}  // namespace

bool ReceivedSignal::is_about_us() const noexcept {
  // The kernel's send_sig() of these two looks as if we had sent them ourselves (SI_USER, our pid).
  if (signal.number() == SIGPIPE || signal.number() == SIGXFSZ) {
    return sender == ::getpid();
  }
  return signal.number() == SIGXCPU && from_kernel();  // RLIMIT_CPU
}

void block_all_signals() noexcept {
  // Not sigprocmask(3): it never blocks 32 and 33.
  constexpr KernelSignalSet all = ~KernelSignalSet{0};
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof all);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  (void)::sigaction(SIGCHLD, &action, nullptr);  // also clears SA_NOCLDWAIT
}

void unblock_all_signals() noexcept {
  constexpr KernelSignalSet none = 0;
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
}

ReceivedSignal wait_for_signal() noexcept {
  const sigset_t set = all_signals();
  siginfo_t info{};
  for (;;) {
    // EINTR: a debugger, or a stop and continue of ourselves.
    if (::sigwaitinfo(&set, &info) > 0) {
      if (const auto signal = received(info)) {
        return *signal;
      }
    }
  }
}

std::optional<ReceivedSignal> wait_for_signal(Duration limit) noexcept {
  const sigset_t set = all_signals();
  const auto nanoseconds = limit.count() > 0 ? limit.count() : 0;
  const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                         .tv_nsec = nanoseconds % 1'000'000'000};
  siginfo_t info{};
  if (::sigtimedwait(&set, &info, &timeout) > 0) {
    return received(info);
  }
  return std::nullopt;  // EINTR ends the wait early: the caller keeps the deadline
}

Result<UniqueFd> open_signal_fd() {
  const sigset_t set = all_signals();
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) {
    return Error{
        .operation = "open", .subject = "a signal descriptor", .code = errno, .reason = {}};
  }
  return fd;
}

std::optional<ReceivedSignal> read_signal(int signal_fd) noexcept {
  signalfd_siginfo info{};
  if (::read(signal_fd, &info, sizeof info) != sizeof info) {
    return std::nullopt;
  }
  const auto signal = Signal::from(static_cast<int>(info.ssi_signo));
  if (!signal) {
    return std::nullopt;
  }
  const bool queued = info.ssi_code == SI_QUEUE;
  return ReceivedSignal{.signal = *signal,
                        .code = info.ssi_code,
                        .sender = static_cast<int>(info.ssi_pid),
                        .value = queued ? std::optional<SignalValue>(info.ssi_ptr) : std::nullopt};
}

Result<void> send_signal(Pid to, Signal signal, std::optional<SignalValue> value) {
  if (value) {
    sigval queued{};
    queued.sival_ptr = reinterpret_cast<void*>(*value);  // NOLINT: as it came
    if (::sigqueue(to.value(), signal.number(), queued) == 0) {
      return {};
    }
    // EAGAIN: the receiver's RLIMIT_SIGPENDING is reached; kill(2) still marks it as pending.
  }
  if (::kill(to.value(), signal.number()) != 0) {
    return cannot_signal(signal, to.value());
  }
  return {};
}

Result<void> send_signal_to_group(Pid leader, Signal signal, std::optional<SignalValue> value) {
  if (value) {
    const Descendants children(leader, Descendants::Depth::children);
    if (children.is_known() && children.begin() == children.end()) {
      return send_signal(leader, signal, value);
    }
  }
  if (::kill(-leader.value(), signal.number()) != 0) {
    return cannot_signal(signal, -leader.value());
  }
  return {};
}

}  // namespace ni::sys
