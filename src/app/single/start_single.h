#pragma once

// From what was configured to single mode.

#include "app/invocation/options.h"

namespace ni::app {

// `argv` and `environment` are main's own, each ended by nullptr: a command taken from the command
// line and an environment to which nothing is added are passed on as they are, byte for byte and
// without a copy.
int start_single(const Invocation& invocation, const char* const* argv,
                 const char* const* environment);

}  // namespace ni::app
