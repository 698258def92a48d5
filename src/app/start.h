#pragma once

#include "app/invocation/options.h"

namespace ni::app {

// Runs the container: what is configured is prepared, the mode decided, and either mode run to its
// end. The exit code of this program.
int start(const Invocation& invocation, const char* const* argv, const char* const* environment);

// --explain: the same preparation, shown and not started. Its exit code.
int explain(const Invocation& invocation);

}  // namespace ni::app
