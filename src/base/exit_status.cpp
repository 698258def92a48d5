#include "base/exit_status.h"

namespace ni {

std::string to_string(ExitStatus status) {
  if (!status.by_signal()) {
    return "exit code " + std::to_string(status.as_exit_code());
  }
  const auto signal = Signal::from(status.as_exit_code() - 128);
  std::string text = signal ? to_string(*signal) : "signal 0";
  return status.core_dumped() ? text + " (core dumped)" : text;
}

}  // namespace ni
