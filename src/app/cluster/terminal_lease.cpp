#include "app/cluster/terminal_lease.h"

#include <unistd.h>

#include "sys/signals.h"

namespace ni::app {

TerminalLease TerminalLease::find() {
  TerminalLease lease;
  lease.terminal_ = sys::ForegroundTerminal::find();
  if (!lease.terminal_) {
    return lease;
  }
  lease.terminal_->lead_foreground_group();
  if (::isatty(STDIN_FILENO) == 1) {
    auto null = sys::open_read("/dev/null");
    lease.null_ = null ? *std::move(null) : sys::UniqueFd();  // no /dev: they get the terminal
  }
  return lease;
}

void TerminalLease::taken_by(Pid worker) {
  if (terminal_) {
    holder_ = worker;
    holder_was_alone_ = true;
  }
}

void TerminalLease::give_to(Pid worker) {
  if (terminal_) {
    terminal_->give_to(worker);
    holder_ = worker;
    holder_was_alone_ = false;
    (void)sys::send_signal_to_group(worker, signals::cont);  // ESRCH: it has just been killed
  }
}

void TerminalLease::take_back() {
  if (terminal_ && holder_) {
    terminal_->take_back();
    holder_.reset();
  }
}

void TerminalLease::end_of_being_alone() {
  if (holder_was_alone_) {
    take_back();
    holder_was_alone_ = false;
  }
}

}  // namespace ni::app
