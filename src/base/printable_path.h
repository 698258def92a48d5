#pragma once

// A path as it is shown to people: in full, because the groups of Kubernetes have long names and
// what is telling, the file, comes last.

#include <string>
#include <string_view>

#include "base/text.h"

namespace ni {

inline std::string printable_path(std::string_view path) {
  constexpr std::size_t kLongestPath = 4096;  // PATH_MAX
  return printable(path, kLongestPath);
}

}  // namespace ni
