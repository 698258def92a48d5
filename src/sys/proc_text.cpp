#include "sys/proc_text.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <limits>

#include "base/text.h"

namespace ni::sys {
namespace {

constexpr std::string_view kBlanks = " \t\n";

// Takes the next word off the text; empty: there is none. No memory is needed.
std::string_view take_word(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

std::string_view take_line(std::string_view& text) noexcept {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

std::uint64_t ProcStat::field(std::size_t number) const noexcept {
  return number >= 3 && number - 3 < numbers.size() ? numbers[number - 3] : 0;
}

int ProcStat::parent() const noexcept {
  const std::uint64_t parent = field(4);
  return parent <= static_cast<std::uint64_t>(std::numeric_limits<int>::max())
             ? static_cast<int>(parent)
             : 0;
}

std::optional<ProcStat> parse_proc_stat(std::string_view text) noexcept {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  ProcStat stat{.name = text.substr(open + 1, close - open - 1)};
  std::string_view rest = text.substr(close + 1);
  for (std::size_t i = 0; i < stat.numbers.size(); ++i) {
    const std::string_view word = take_word(rest);
    if (word.empty()) {
      return std::nullopt;
    }
    if (i == 0) {
      stat.state = word.front();
    }
    stat.numbers[i] = parse_number<std::uint64_t>(word).value_or(0);
  }
  return stat;
}

Duration from_ticks(std::uint64_t ticks) noexcept {
  static const long per_second = ::sysconf(_SC_CLK_TCK);
  const auto tick = static_cast<std::uint64_t>(1'000'000'000 / (per_second > 0 ? per_second : 100));
  constexpr auto kMost = static_cast<std::uint64_t>(Duration::max().count()) / 10;
  return Duration(static_cast<Duration::rep>(std::min(ticks, kMost / tick) * tick));
}

std::optional<Bytes> parse_kilobytes(std::string_view text, std::string_view name) noexcept {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.starts_with(name)) {
      continue;
    }
    line.remove_prefix(name.size());
    const auto kilobytes = parse_number<std::uint64_t>(take_word(line));
    if (kilobytes && *kilobytes <= std::numeric_limits<std::uint64_t>::max() / kKiB) {
      return Bytes{*kilobytes * kKiB};
    }
  }
  return std::nullopt;
}

bool is_kill_pending(std::string_view status) noexcept {
  constexpr std::uint64_t kKill = std::uint64_t{1} << (SIGKILL - 1U);
  while (!status.empty()) {
    std::string_view line = take_line(status);
    if (!line.starts_with("SigPnd:") && !line.starts_with("ShdPnd:")) {
      continue;
    }
    line.remove_prefix(std::string_view("SigPnd:").size());
    const std::string_view digits = take_word(line);
    std::uint64_t pending = 0;
    (void)std::from_chars(digits.data(), digits.data() + digits.size(), pending, 16);
    if ((pending & kKill) != 0) {
      return true;
    }
  }
  return false;
}

std::optional<long> parse_system_call(std::string_view text) noexcept {
  const auto number = parse_number<long>(take_word(text));
  return number && *number >= 0 ? number : std::nullopt;
}

TakenPids take_pids(std::string_view text, std::span<int> room, std::size_t count) noexcept {
  for (auto end = text.find(' '); end != std::string_view::npos; end = text.find(' ')) {
    const auto pid = parse_number<int>(text.substr(0, end));
    if (pid && *pid >= 2 && count < room.size()) {
      room[count++] = *pid;
    }
    text.remove_prefix(end + 1);
  }
  return {.count = count, .unread = text.size()};
}

bool is_in_id_map(std::string_view text, std::uint32_t id) noexcept {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const auto first = parse_number<std::uint32_t>(take_word(line));
    const auto outside = parse_number<std::uint32_t>(take_word(line));
    const auto count = parse_number<std::uint32_t>(take_word(line));
    if (first && outside && count && id >= *first && id - *first < *count) {
      return true;
    }
  }
  return false;
}

}  // namespace ni::sys
