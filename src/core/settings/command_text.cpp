#include "core/settings/command_text.h"

namespace ni {
namespace {

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

// Inside quotes (quote is ' or ") or outside (quote is 0): what one character does to the word.
struct Splitter {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  bool escaped = false;

  void take(char c) {
    if (escaped) {
      word += c;
      escaped = false;
    } else if (c == '\\' && quote != '\'') {
      escaped = in_word = true;
    } else if (quote != 0) {
      quote == c ? void(quote = 0) : void(word += c);
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      end_word();
    } else {
      word += c;
      in_word = true;
    }
  }
  void end_word() {
    if (in_word) {
      words.push_back(std::move(word));
    }
    word.clear();
    in_word = false;
  }
};

}  // namespace

std::optional<std::vector<std::string>> split_command(std::string_view text) {
  Splitter splitter;
  for (const char c : text) {
    splitter.take(c);
  }
  if (splitter.quote != 0 || splitter.escaped) {
    return std::nullopt;
  }
  splitter.end_word();
  return std::move(splitter.words);
}

std::string join_command(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) {
      text += ' ';
    }
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) {
      // A ' cannot stand between two ': the quote is closed, the ' escaped, the quote opened again.
      c == '\'' ? void(text += "'\\''") : void(text += c);
    }
    text += '\'';
  }
  return text;
}

}  // namespace ni
