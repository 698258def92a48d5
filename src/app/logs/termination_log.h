#pragma once

// Writes the termination log where the setting says: `auto` is Kubernetes' own file, only where the
// kubelet has put it.

#include <optional>
#include <string>

#include "base/result.h"

namespace ni::app {

inline constexpr const char* kTerminationLog = "/dev/termination-log";

// Somebody will read it: the setting names a path, or Kubernetes' own file is there for us to
// write.
bool termination_log_is_wanted(const std::optional<std::string>& setting);

// No effect for an empty text. Error: a path that was asked for cannot be written.
Result<void> write_termination_log(const std::optional<std::string>& setting,
                                   const std::string& text);

}  // namespace ni::app
