#pragma once

// A command as one line of text, for settings that name one: words between blanks, 'quoted' or
// "quoted" when a blank belongs to the word, \ before one character. No shell: nothing is expanded.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ni {

// nullopt: a quote is not closed, or a lone \ at the end.
std::optional<std::vector<std::string>> split_command(std::string_view text);

// What split_command() reads back as the same words.
std::string join_command(std::span<const std::string> words);

}  // namespace ni
