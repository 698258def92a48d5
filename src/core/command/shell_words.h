#pragma once

// A shell command as words, when it is so plain that no shell is needed to run it: words, quotes,
// and assignments before the command. Everything that a shell would have to work out (variables,
// pipes, globs, several commands) makes it not plain.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ni {

struct PlainCommand {
  std::vector<std::pair<std::string, std::string>> environment;  // NAME=value before the command
  std::vector<std::string> words;                                // never empty
};

std::optional<PlainCommand> parse_plain_command(std::string_view text);

}  // namespace ni
