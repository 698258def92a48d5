#include "sys/terminal.h"

#include <fcntl.h>
#include <unistd.h>

namespace ni::sys {
namespace {

UniqueFd open_controlling_terminal() noexcept {
  return UniqueFd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

std::optional<ForegroundTerminal> ForegroundTerminal::find() noexcept {
  ForegroundTerminal terminal;
  // tcgetpgrp(3) succeeds for the controlling terminal only.
  pid_t foreground = -1;
  for (int fd = 0; fd <= 2 && foreground < 0; ++fd) {
    foreground = ::tcgetpgrp(fd);
    terminal.standard_ = fd;
  }
  if (foreground < 0) {
    // All three may be redirected while Ctrl-C is still expected to reach the program.
    terminal.opened_ = open_controlling_terminal();
    foreground = terminal.opened_ ? ::tcgetpgrp(terminal.opened_.get()) : -1;
  }
  // In a PID namespace both are 0 when our group was made outside; then we take ourselves for its
  // foreground.
  if (foreground < 0 || foreground != ::getpgrp()) {
    return std::nullopt;
  }
  return terminal;
}

void ForegroundTerminal::lead_foreground_group() noexcept {
  if (::getpgrp() == 0 && ::setpgid(0, 0) == 0) {
    (void)::tcsetpgrp(fd(), ::getpgrp());  // SIGTTOU is blocked
  }
}

void ForegroundTerminal::give_to(Pid group_leader) noexcept {
  (void)::tcsetpgrp(fd(), group_leader.value());  // EPERM: it has just ended
}

void ForegroundTerminal::take_back() noexcept {
  if (standard_ < 0 && !opened_) {
    return;
  }
  const UniqueFd again = ::tcgetpgrp(standard_) < 0 ? open_controlling_terminal() : UniqueFd();
  // SIGTTOU, which would stop a background process here, is blocked. It fails for a group made
  // outside of our PID namespace, which cannot be named in it.
  (void)::tcsetpgrp(again ? again.get() : standard_, ::getpgrp());
}

}  // namespace ni::sys
