#include "base/signal.h"

#include <array>

#include "base/text.h"

namespace ni {
namespace {

struct Named {
  int number;
  std::string_view name;
};

constexpr std::array kNames = {
    Named{SIGHUP, "HUP"},     Named{SIGINT, "INT"},       Named{SIGQUIT, "QUIT"},
    Named{SIGILL, "ILL"},     Named{SIGTRAP, "TRAP"},     Named{SIGABRT, "ABRT"},
    Named{SIGBUS, "BUS"},     Named{SIGFPE, "FPE"},       Named{SIGKILL, "KILL"},
    Named{SIGUSR1, "USR1"},   Named{SIGSEGV, "SEGV"},     Named{SIGUSR2, "USR2"},
    Named{SIGPIPE, "PIPE"},   Named{SIGALRM, "ALRM"},     Named{SIGTERM, "TERM"},
    Named{16, "STKFLT"},      Named{SIGCHLD, "CHLD"},     Named{SIGCONT, "CONT"},
    Named{SIGSTOP, "STOP"},   Named{SIGTSTP, "TSTP"},     Named{SIGTTIN, "TTIN"},
    Named{SIGTTOU, "TTOU"},   Named{SIGURG, "URG"},       Named{SIGXCPU, "XCPU"},
    Named{SIGXFSZ, "XFSZ"},   Named{SIGVTALRM, "VTALRM"}, Named{SIGPROF, "PROF"},
    Named{SIGWINCH, "WINCH"}, Named{SIGIO, "IO"},         Named{30, "PWR"},
    Named{SIGSYS, "SYS"},     Named{SIGABRT, "IOT"},      Named{SIGCHLD, "CLD"},
    Named{SIGIO, "POLL"},
};

std::optional<Signal> parse_real_time(std::string_view text) {
  const bool from_top = text.starts_with("RTMAX");
  if (!from_top && !text.starts_with("RTMIN")) {
    return std::nullopt;
  }
  text.remove_prefix(5);
  if (text.empty()) {
    return Signal::from(from_top ? kHighestSignal : kFirstRealTimeSignal);
  }
  if (text.front() != (from_top ? '-' : '+')) {
    return std::nullopt;
  }
  const auto offset = parse_number<int>(text.substr(1));
  if (!offset || *offset < 0 || *offset > kHighestSignal - kFirstRealTimeSignal) {
    return std::nullopt;
  }
  return Signal::from(from_top ? kHighestSignal - *offset : kFirstRealTimeSignal + *offset);
}

}  // namespace

std::string to_string(Signal signal) {
  for (const Named& named : kNames) {
    if (named.number == signal.number()) {
      return "SIG" + std::string(named.name);
    }
  }
  if (signal.number() >= kFirstRealTimeSignal) {
    const int offset = signal.number() - kFirstRealTimeSignal;
    return offset == 0 ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(offset);
  }
  return "signal " + std::to_string(signal.number());
}

std::optional<Signal> parse_signal(std::string_view text) {
  if (const auto number = parse_number<int>(text)) {
    return Signal::from(*number);
  }
  const std::string upper = to_upper(text);
  std::string_view name = upper;
  if (name.starts_with("SIG")) {
    name.remove_prefix(3);
  }
  for (const Named& named : kNames) {
    if (named.name == name) {
      return Signal::from(named.number);
    }
  }
  return parse_real_time(name);
}

}  // namespace ni
