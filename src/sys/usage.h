#pragma once

#include <optional>

#include "base/types.h"

namespace ni::sys {

// What a process has used so far, from proc(5).
struct Usage {
  Duration cpu_time{};  // user and system, its ended children not counted
  Bytes resident;       // shared pages counted
};
// nullopt: it is gone, or there is no /proc.
std::optional<Usage> usage_of(Pid pid);

}  // namespace ni::sys
