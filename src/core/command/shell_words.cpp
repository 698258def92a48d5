#include "core/command/shell_words.h"

#include <algorithm>
#include <array>

namespace ni {
namespace {

// Unquoted, each of these means something to sh.
constexpr std::string_view kMeaning = "|&;<>()$`*?[]{}~#!\n\r";

constexpr auto kWordsOfTheShell = std::to_array<std::string_view>(
    {"cd",     "if", "for",    "while", "until", "case",    "set",   "eval",
     "export", ".",  "source", "trap",  "unset", "ulimit",  "umask", "exit",
     "test",   "[",  "true",   "false", ":",     "command", "time"});

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::ranges::all_of(text, fits);
}

// The quoted part that begins at `at`, its end quote passed; nullopt: not closed, or not plain.
std::optional<std::string> quoted(std::string_view text, std::size_t& at) {
  const char quote = text[at++];
  std::string result;
  for (; at < text.size() && text[at] != quote; ++at) {
    if (quote == '"' && (text[at] == '$' || text[at] == '`')) return std::nullopt;
    if (quote == '"' && text[at] == '\\' && at + 1 < text.size() &&
        (text[at + 1] == '"' || text[at + 1] == '\\')) {
      ++at;
    }
    result += text[at];
  }
  if (at == text.size()) return std::nullopt;
  ++at;
  return result;
}

struct Word {
  std::string text;
  bool quoted_name = false;  // a quote stands before the first '=': no assignment
};

std::optional<Word> word_at(std::string_view text, std::size_t& at) {
  Word word;
  while (at < text.size() && text[at] != ' ' && text[at] != '\t') {
    const char c = text[at];
    if (c == '\'' || c == '"') {
      if (word.text.find('=') == std::string::npos) word.quoted_name = true;
      const std::optional<std::string> part = quoted(text, at);
      if (!part) return std::nullopt;
      word.text += *part;
    } else if (c == '\\') {
      if (at + 1 == text.size() || text[at + 1] == '\n') return std::nullopt;
      word.text += text[at + 1];
      at += 2;
    } else if (kMeaning.find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      word.text += c;
      ++at;
    }
  }
  return word;
}

}  // namespace

std::optional<PlainCommand> parse_plain_command(std::string_view text) {
  PlainCommand command;
  for (std::size_t at = 0;;) {
    at = text.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) break;
    std::optional<Word> word = word_at(text, at);
    if (!word) return std::nullopt;
    const std::size_t equals = word->text.find('=');
    const bool assigns = command.words.empty() && !word->quoted_name &&
                         equals != std::string::npos &&
                         is_name(std::string_view(word->text).substr(0, equals));
    if (assigns) {
      command.environment.emplace_back(word->text.substr(0, equals), word->text.substr(equals + 1));
    } else if (command.words.empty() && word->text == "exec") {
      continue;  // what follows is run in the shell's place, as we do
    } else {
      command.words.push_back(std::move(word->text));
    }
  }
  if (command.words.empty()) return std::nullopt;
  if (std::ranges::find(kWordsOfTheShell, command.words.front()) != kWordsOfTheShell.end()) {
    return std::nullopt;
  }
  return command;
}

}  // namespace ni
