#pragma once

// Our own children, as /proc tells of them: workers, and what the kernel has given us.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ni::sys {

struct Child {
  Pid pid;
  std::string name;        // its command's, at most 15 bytes, printable
  int group = 0;           // process group
  std::uint64_t born = 0;  // clock ticks since the machine's start
  std::string
      of_variable;  // the value of the variable that was asked for; empty: not there or not to be read
};

// Those who live, besides whom `is_known` knows; at most kMostChildren are looked at. Empty where the
// kernel does not tell (no /proc, CONFIG_PROC_CHILDREN is unset).
inline constexpr std::size_t kMostChildren = 1024;
std::vector<Child> own_children(const std::function<bool(Pid)>& is_known,
                                std::string_view variable);

// When it was born, in the same ticks; nullopt: it is gone.
std::optional<std::uint64_t> born(Pid pid);

}  // namespace ni::sys
