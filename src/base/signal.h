#pragma once

// A signal number 1…64 and its names.

#include <compare>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ni {

inline constexpr int kHighestSignal = 64;        // _NSIG - 1 on x86 and arm, signal(7)
inline constexpr int kFirstRealTimeSignal = 34;  // 32 and 33 belong to the thread library, nptl(7)

// What sigqueue(3) sends along: its sigval, whole.
using SignalValue = std::uintptr_t;

class Signal {
 public:
  static constexpr std::optional<Signal> from(int number) {
    return number >= 1 && number <= kHighestSignal ? std::optional<Signal>(Signal(number))
                                                   : std::nullopt;
  }
  constexpr int number() const { return number_; }
  constexpr auto operator<=>(const Signal&) const = default;

 private:
  friend struct signals;
  explicit constexpr Signal(int number) : number_(number) {}
  int number_;
};

struct signals {
  static constexpr Signal hup{SIGHUP}, interrupt{SIGINT}, quit{SIGQUIT}, abort{SIGABRT},
      kill{SIGKILL}, usr1{SIGUSR1}, usr2{SIGUSR2}, pipe{SIGPIPE}, term{SIGTERM}, child{SIGCHLD},
      cont{SIGCONT}, stop{SIGSTOP}, tstp{SIGTSTP}, ttin{SIGTTIN}, ttou{SIGTTOU}, winch{SIGWINCH},
      power{SIGPWR}, halt{kFirstRealTimeSignal + 3};  // systemd(1): SIGRTMIN+3 is a halt
};

// "SIGTERM", "SIGRTMIN+3" (counted from 34, as kill -l of a shell does)
std::string to_string(Signal signal);

// Accepts "TERM", "SIGTERM", "term", "15", "RTMIN", "RTMIN+3", "RTMAX-2".
std::optional<Signal> parse_signal(std::string_view text);

}  // namespace ni
