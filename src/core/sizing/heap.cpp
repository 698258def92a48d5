#include "core/sizing/heap.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "base/text.h"
#include "core/command/node_command.h"

namespace ni {
namespace {

constexpr std::array<std::string_view, 8> kHeapOptions = {
    "max-old-space-size",     "max-old-space-size-percentage",
    "max-semi-space-size",    "min-semi-space-size",
    "max-heap-size",          "initial-heap-size",
    "initial-old-space-size", "huge-max-old-generation-size"};

// "--max_old_space_size=300" is "max-old-space-size"; V8 takes one dash or two, and _ for -.
std::string option_name(std::string_view word) {
  if (!word.starts_with('-')) {
    return {};
  }
  word.remove_prefix(word.starts_with("--") ? 2 : 1);
  std::string name(word.substr(0, word.find('=')));
  std::ranges::replace(name, '_', '-');
  return name;
}

bool is_heap_option(std::string_view word) {
  return std::ranges::find(kHeapOptions, option_name(word)) != kHeapOptions.end();
}

constexpr std::string_view kPercentage = "max-old-space-size-percentage";

// "75" among 2 is "37.5"; what is no number is left to Node, which refuses it. In thousandths, cut off:
// a number that std::strtod would read depends on the locale.
std::string divided(std::string_view number, unsigned among) {
  const auto point = std::min(number.find('.'), number.size());
  std::string decimals(number.substr(std::min(point + 1, number.size())).substr(0, 3));
  decimals.resize(3, '0');
  const auto whole = parse_number<std::uint32_t>(number.substr(0, point));
  const auto part = parse_number<std::uint32_t>(decimals);
  if (!whole || !part) {
    return std::string(number);
  }
  const std::uint64_t thousandths =
      std::max<std::uint64_t>(1, (std::uint64_t{*whole} * 1000 + *part) / among);
  std::string text = fmt::format("{}.{:03}", thousandths / 1000, thousandths % 1000);
  text.erase(text.find_last_not_of('0') + 1);
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

}  // namespace

bool is_heap_percentage(std::string_view option) {
  return option_name(option) == kPercentage;
}

std::vector<std::string> with_divided_percentage(std::span<const std::string> argv,
                                                 unsigned among) {
  std::vector<std::string> result(argv.begin(), argv.end());
  for (std::size_t i = 1; i < result.size(); ++i) {
    std::string& word = result[i];
    if (word == "--" || !word.starts_with('-') || word == "-") {
      break;  // the script: the rest is its own
    }
    const auto equals = word.find('=');
    if (is_heap_percentage(word) && equals != std::string::npos) {
      word = word.substr(0, equals + 1) + divided(word.substr(equals + 1), among);
    } else if (takes_next_word(word) && ++i < result.size() && is_heap_percentage(result[i - 1])) {
      result[i] = divided(result[i], among);
    }
  }
  return result;
}

std::string node_options_with_divided_percentage(std::string_view value, unsigned among) {
  std::string result;
  while (!value.empty()) {
    const auto start = std::min(value.find_first_not_of(' '), value.size());
    const auto end = std::min(value.find(' ', start), value.size());
    const std::string_view word = value.substr(start, end - start);
    const auto equals = word.find('=');
    result += value.substr(0, start);
    value.remove_prefix(end);
    if (!is_heap_percentage(word)) {
      result += word;
    } else if (equals != std::string_view::npos) {
      result += word.substr(0, equals + 1);
      result += divided(word.substr(equals + 1), among);
    } else {  // the number is the next word
      const auto number = std::min(value.find_first_not_of(' '), value.size());
      const auto after = std::min(value.find(' ', number), value.size());
      result += word;
      result += value.substr(0, number);
      result += divided(value.substr(number, after - number), among);
      value.remove_prefix(after);
    }
  }
  return result;
}

SizedHeap size_heap(Bytes share) {
  // The semi spaces of the formula and the share from which each holds.
  struct Step {
    std::uint64_t below_mib;
    unsigned semi_mib;
  };
  constexpr std::array kSteps = {Step{160, 1}, Step{256, 2}, Step{512, 4}, Step{1024, 8},
                                 Step{UINT64_MAX, 16}};
  const std::uint64_t mib = share.value / kMiB;
  const auto step = std::ranges::find_if(
      kSteps, [mib](const Step& candidate) { return mib < candidate.below_mib; });
  const unsigned semi = step->semi_mib;
  const std::uint64_t besides = kOutsideHeapMib + 3 * semi;
  if (mib < besides + kLeastOldSpaceMib) {
    return {.size = {.old_space_mib = kLeastOldSpaceMib, .semi_space_mib = semi}, .cramped = true};
  }
  constexpr std::uint64_t kMost = 1U << 24U;  // 16 TiB: V8 multiplies the figure by 2^20
  const auto old_space = static_cast<unsigned>(std::min(mib - besides, kMost));
  return {.size = {.old_space_mib = old_space, .semi_space_mib = semi}, .cramped = false};
}

std::vector<std::string> heap_flags(const HeapSize& heap) {
  return {fmt::format("--max-old-space-size={}", heap.old_space_mib),
          fmt::format("--max-semi-space-size={}", heap.semi_space_mib)};
}

std::optional<std::string> heap_option_in_argv(std::span<const std::string> argv) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (is_heap_option(word)) {
      return word;
    }
    if (word == "--" || !word.starts_with('-') || word == "-") {
      return std::nullopt;  // the script, or standard input: the rest is its own
    }
    if (takes_next_word(word)) {
      ++i;
    }
  }
  return std::nullopt;
}

std::optional<std::string> heap_option_in_node_options(std::string_view value) {
  for (auto& word : node_options_words(value)) {
    if (is_heap_option(word)) {
      return word;
    }
  }
  return std::nullopt;
}

std::vector<std::string> with_heap_flags(std::span<const std::string> argv, const HeapSize& heap) {
  std::vector<std::string> result(argv.begin(), argv.end());
  const auto flags = heap_flags(heap);
  result.insert(result.empty() ? result.end() : result.begin() + 1, flags.begin(), flags.end());
  return result;
}

std::string node_options_with_heap_flags(std::string_view value, const HeapSize& heap) {
  // Only a space ends a word there; a line end belongs to the option, which Node then refuses.
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  std::string result(value.substr(0, value.find_last_not_of(' ') + 1));
  for (const auto& flag : heap_flags(heap)) {
    result += result.empty() ? "" : " ";
    result += flag;
  }
  return result;
}

}  // namespace ni
