#include "base/text.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace ni {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// "1.5" as thousandths; at most three decimals are kept, more are refused: what is written is what
// is meant.
std::optional<std::uint64_t> parse_thousandths(std::string_view text) {
  const auto dot = text.find('.');
  const auto whole = parse_number<std::uint64_t>(text.substr(0, dot));
  if (!whole || *whole > UINT64_MAX / 1000 - 1) {
    return std::nullopt;
  }
  std::uint64_t value = *whole * 1000;
  if (dot != std::string_view::npos) {
    const std::string_view decimals = text.substr(dot + 1);
    const auto fraction = parse_number<std::uint64_t>(decimals);
    if (!fraction || decimals.size() > 3) {
      return std::nullopt;
    }
    constexpr std::array<std::uint64_t, 4> kScale = {1000, 100, 10, 1};
    value += *fraction * kScale[decimals.size()];
  }
  return value;
}

// A number with one of the units, as the unit's factor times the number; overflow is nullopt.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const auto end_of_number = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto thousandths = parse_thousandths(text.substr(0, end_of_number));
  if (!thousandths) {
    return std::nullopt;
  }
  const std::string name = to_lower(trim(text.substr(end_of_number)));
  const auto unit = std::ranges::find(units, name, &Unit::name);
  if (unit == units.end()) {
    return *thousandths == 0 && name.empty() ? std::optional<std::uint64_t>(0) : std::nullopt;
  }
  // A year in nanoseconds fits, a thousand times as many do not: the whole part by itself.
  const std::uint64_t whole = *thousandths / 1000;
  const std::uint64_t fraction = *thousandths % 1000 * unit->factor / 1000;
  if (whole > (UINT64_MAX - fraction) / unit->factor) {
    return std::nullopt;
  }
  return whole * unit->factor + fraction;
}

constexpr std::array kDurationUnits = {
    Unit{"us", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"min", 60'000'000'000},
    Unit{"h", 3'600'000'000'000},
    Unit{"d", 86'400'000'000'000},
};
constexpr Duration kLongestDuration = std::chrono::hours(24 * 3650);

constexpr std::array kSizeUnits = {
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", kKiB},
    Unit{"kb", kKiB},
    Unit{"kib", kKiB},
    Unit{"ki", kKiB},
    Unit{"m", kMiB},
    Unit{"mb", kMiB},
    Unit{"mib", kMiB},
    Unit{"mi", kMiB},
    Unit{"g", kGiB},
    Unit{"gb", kGiB},
    Unit{"gib", kGiB},
    Unit{"gi", kGiB},
    Unit{"t", 1024 * kGiB},
    Unit{"tb", 1024 * kGiB},
    Unit{"tib", 1024 * kGiB},
    Unit{"ti", 1024 * kGiB},
};

// Thousandths as text without trailing zeros: 1500 is "1.5".
std::string format_thousandths(std::uint64_t value) {
  std::string text = std::to_string(value / 1000);
  if (value % 1000 != 0) {
    std::string decimals = std::to_string(1000 + value % 1000).substr(1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text;
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t substituted = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629, table
// 3-7 of Unicode).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return follows(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool in_range = (lead != 0xE0 || byte(1) >= 0xA0) && (lead != 0xED || byte(1) <= 0x9F);
    return in_range && follows(1) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool in_range = (lead != 0xF0 || byte(1) >= 0x90) && (lead != 0xF4 || byte(1) <= 0x8F);
    return in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

// U+0080 to U+009F: U+009B is CSI, with which escape sequences begin (ECMA-48).
bool is_c1_control(std::string_view text) {
  return text.size() > 1 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string to_upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return result;
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const auto end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return pieces;
    }
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const auto start = text.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) {
      return words;
    }
    text.remove_prefix(start);
    const auto end = std::min(text.find_first_of(kBlanks), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto nanoseconds = parse_with_unit(text, kDurationUnits);
  if (!nanoseconds || *nanoseconds > static_cast<std::uint64_t>(kLongestDuration.count())) {
    return std::nullopt;
  }
  return Duration(static_cast<Duration::rep>(*nanoseconds));
}

std::string format_duration(Duration duration) {
  const auto count = static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0));
  if (count == 0) {
    return "0s";
  }
  if (count < 1'000'000) {
    return format_thousandths(count) + "us";
  }
  if (count < 1'000'000'000) {
    return format_thousandths(count / 1000) + "ms";
  }
  if (count < 60'000'000'000) {
    return format_thousandths(count / 1'000'000) + "s";
  }
  const std::uint64_t seconds = count / 1'000'000'000;
  std::string text;
  const auto append = [&text](std::uint64_t amount, std::string_view unit) {
    if (amount != 0) {
      text += std::to_string(amount);
      text += unit;
    }
  };
  append(seconds / 3600, "h");
  append(seconds / 60 % 60, "m");
  append(seconds % 60, "s");
  return text;
}

std::optional<Bytes> parse_size(std::string_view text) {
  const auto bytes = parse_with_unit(text, kSizeUnits);
  return bytes ? std::optional<Bytes>(Bytes{*bytes}) : std::nullopt;
}

std::string format_size(Bytes bytes) {
  constexpr std::array kUnits = {Unit{" TiB", 1024 * kGiB}, Unit{" GiB", kGiB}, Unit{" MiB", kMiB},
                                 Unit{" KiB", kKiB}};
  for (const Unit& unit : kUnits) {
    if (bytes.value >= unit.factor) {
      const std::uint64_t whole = bytes.value / unit.factor;
      const std::uint64_t tenths = bytes.value % unit.factor * 10 / unit.factor;
      return format_thousandths(whole * 1000 + (whole < 100 ? tenths * 100 : 0)) +
             std::string(unit.name);
    }
  }
  return std::to_string(bytes.value) + " B";
}

std::string format_cpus(MilliCpu cpus) {
  return format_thousandths(cpus.value);
}

std::optional<std::string_view> did_you_mean(std::string_view written,
                                             std::span<const std::string_view> candidates) {
  std::optional<std::string_view> nearest;
  constexpr std::size_t kLongestSlip = 64;  // the distance costs the product of both lengths
  if (written.size() > kLongestSlip) {
    return nearest;
  }
  std::size_t least = 2 + written.size() / 4;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(written, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string printable(std::string_view text, std::size_t limit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    const auto byte = static_cast<unsigned char>(text.front());
    const bool visible =
        (length > 1 && !is_c1_control(text)) || (length == 1 && byte >= 0x20 && byte != 0x7F);
    const std::string piece = visible ? std::string(text.substr(0, length))
                                      : std::string("\\x") + kHex[byte >> 4U] + kHex[byte & 0xFU];
    if (result.size() + piece.size() > limit) {
      return result + "…";
    }
    result += piece;
    text.remove_prefix(visible ? length : 1);
  }
  return result;
}

std::string printable_lines(std::string_view text) {
  std::string result;
  for (const std::string_view line : split(text, '\n')) {
    result += (result.empty() ? "" : "\n") + printable(line, std::string::npos);
  }
  return result;
}

}  // namespace ni
