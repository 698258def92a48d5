#pragma once

// Small text: cutting, numbers, durations, sizes, and "did you mean". No locale anywhere.

#include <charconv>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ni {

std::string_view trim(std::string_view text);
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);

// Every piece between separators, empty ones too: split("a,,b", ',') is {"a", "", "b"}; "" gives
// {""}.
std::vector<std::string_view> split(std::string_view text, char separator);

// Non-empty pieces between blanks and tabs.
std::vector<std::string_view> split_words(std::string_view text);

// The first line, without its end.
std::string_view first_line(std::string_view text);

// The whole of `text` as a decimal number that fits T: no sign for unsigned T, no blanks, no
// leftovers.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return value;
}

// "250ms", "5s", "2m", "24h", "1d", "1.5s"; "0" needs no unit. Never negative; at most 3650 days.
std::optional<Duration> parse_duration(std::string_view text);

// "250ms", "5s", "1m30s", "24h": parse_duration's language for one unit, several for a person
// otherwise.
std::string format_duration(Duration duration);

// "300M", "1GiB", "512k", "1048576", "1.5G". K, M, G, T are powers of 1024, with or without i and
// B.
std::optional<Bytes> parse_size(std::string_view text);

// "512 MiB", "1.5 GiB", "100 B"
std::string format_size(Bytes bytes);

// "1.5", "0.25", "2": at most three decimals, none of them a trailing zero.
std::string format_cpus(MilliCpu cpus);

// The candidate nearest to what was written, if it is near enough to be a slip (edit distance ≤ 1 +
// length/4).
std::optional<std::string_view> did_you_mean(std::string_view written,
                                             std::span<const std::string_view> candidates);

// `text` made safe for one line of a message: control bytes and invalid UTF-8 as \xNN, cut at
// `limit` bytes with "…".
std::string printable(std::string_view text, std::size_t limit = 200);
// The same for texts of several lines, of any length.
std::string printable_lines(std::string_view text);

}  // namespace ni
