#pragma once

// The verbs of `nodeinit ctl` that ask Node's inspector what a worker does. What they find goes to
// stdout and nothing to a file: a scratch image has no writable one.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "wire/json.h"

namespace ni::app {

bool is_inspection(std::string_view verb);

// Of the program of that name, or of the only one; absent: there is none.
wire::Json find_slot(const wire::Json& programs, std::string_view program, unsigned slot);

// `slot`: as `ctl status --json` tells of it. `time`: so long a cpu-profile takes. Error: why nothing
// was found, or not all of it.
Result<void> inspect(std::string_view verb, const wire::Json& slot, std::optional<Duration> time);

}  // namespace ni::app
