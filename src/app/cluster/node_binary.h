#pragma once

// Which Node a command would run, told from the executable file without running it.

#include <string>
#include <string_view>

#include "core/command/node_arguments.h"

namespace ni::app {

// `program` as in argv[0], looked up in `path` (the value of PATH) when it has no slash. What
// cannot be told (a script that starts node, another architecture's file) is taken for the oldest:
// no features.
NodeFeatures inspect_node(std::string_view program, std::string_view path);

}  // namespace ni::app
