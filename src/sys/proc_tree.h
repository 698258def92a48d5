#pragma once

// Upwards in the tree of processes, as /proc/PID/stat tells (proc_pid_stat(5)).

#include <optional>

#include "base/types.h"

namespace ni::sys {

// nullopt: it is gone, or its parent is PID 1 or outside of our namespace.
std::optional<Pid> parent_of(Pid pid);

// Whether it is `ancestor`, or somewhere below it.
bool is_within(Pid pid, Pid ancestor);

}  // namespace ni::sys
