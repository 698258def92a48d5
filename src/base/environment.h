#pragma once

// The environment as a value: variables in the order in which they were given.
// app/invocation/options reads the real one.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ni {

using Environment = std::vector<std::pair<std::string, std::string>>;

// The first variable of that name, as getenv(3) finds it.
inline std::optional<std::string_view> find_variable(const Environment& environment,
                                                     std::string_view name) {
  for (const auto& [key, value] : environment) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace ni
