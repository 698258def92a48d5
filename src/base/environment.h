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

// Each name once: a variable that is there already gets the value, a new one goes to the end.
inline void set_variable(Environment& environment, std::string_view name, std::string value) {
  for (auto& [key, present] : environment) {
    if (key == name) {
      present = std::move(value);
      return;
    }
  }
  environment.emplace_back(name, std::move(value));
}

}  // namespace ni
