#include "app/adoption/adopted.h"

#include <fmt/format.h>

#include "base/text.h"

namespace ni::app {
namespace {

constexpr std::size_t kMostStrings = 100'000;

}  // namespace

std::string to_bytes(const AdoptMessage& message) {
  std::string bytes =
      fmt::format("{} {} {}\n", message.wish, message.argv.size(), message.environment.size());
  const auto add = [&bytes](const std::string& text) {
    bytes += text;
    bytes += '\0';
  };
  add(message.text);
  for (const std::string& word : message.argv) add(word);
  for (const std::string& entry : message.environment) add(entry);
  return bytes;
}

std::optional<AdoptMessage> parse_adopt_message(std::string_view bytes) {
  const std::size_t line = bytes.find('\n');
  if (line == std::string_view::npos) return std::nullopt;
  const std::vector<std::string_view> words = split_words(bytes.substr(0, line));
  if (words.size() != 3) return std::nullopt;
  const auto of_argv = parse_number<std::size_t>(words[1]);
  const auto of_environment = parse_number<std::size_t>(words[2]);
  if (!of_argv || !of_environment || *of_argv > kMostStrings || *of_environment > kMostStrings) {
    return std::nullopt;
  }
  bytes.remove_prefix(line + 1);
  const auto next = [&bytes]() -> std::optional<std::string> {
    const std::size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    return text;
  };
  AdoptMessage message{.wish = std::string(words[0]), .argv = {}, .environment = {}, .text = {}};
  auto text = next();
  if (!text) return std::nullopt;
  message.text = *std::move(text);
  for (std::size_t i = 0; i < *of_argv + *of_environment; ++i) {
    auto each = next();
    if (!each) return std::nullopt;
    (i < *of_argv ? message.argv : message.environment).push_back(*std::move(each));
  }
  return bytes.empty() ? std::optional(std::move(message)) : std::nullopt;
}

}  // namespace ni::app
