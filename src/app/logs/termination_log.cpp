#include "app/logs/termination_log.h"

#include "sys/write_file.h"

namespace ni::app {

bool termination_log_is_wanted(const std::optional<std::string>& setting) {
  return setting && (*setting != "auto" || sys::can_write_file(kTerminationLog));
}

Result<void> write_termination_log(const std::optional<std::string>& setting,
                                   const std::string& text) {
  if (!setting || text.empty()) {
    return {};
  }
  if (*setting == "auto") {
    // Not there, or not ours to write: nobody has asked for it.
    (void)sys::write_file(kTerminationLog, text, sys::IfMissing::fail);
    return {};
  }
  return sys::write_file(*setting, text, sys::IfMissing::create);
}

}  // namespace ni::app
