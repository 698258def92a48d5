#include "core/command/node_arguments.h"

#include <algorithm>
#include <array>

namespace ni {
namespace {

constexpr std::array<std::string_view, 2> kForbidding = {"--experimental-permission",
                                                         "--experimental-policy"};

bool forbids(std::string_view text) {
  return std::ranges::any_of(
      kForbidding, [&](std::string_view option) { return text.find(option) != text.npos; });
}

}  // namespace

bool allows_module(std::span<const std::string> argv, std::string_view node_options) {
  return !forbids(node_options) && std::ranges::none_of(argv, [](const std::string& word) {
    return word.starts_with("--") && forbids(word);
  });
}

}  // namespace ni
