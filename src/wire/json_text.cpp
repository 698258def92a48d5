#include "wire/json_text.h"

#include <array>
#include <cstring>

namespace ni::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes which may stand in a JSON string as they are: ASCII but control bytes, '"' and '\'.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned byte = 0x20; byte < 0x80; ++byte) {
    plain[byte] = byte != '"' && byte != '\\';
  }
  return plain;
}();

// Sixteen bytes at once: a vector of the compiler's (GCC and Clang know it on every machine), since
// what a loop over bytes becomes depends on where it is inlined.
using Block = signed char __attribute__((vector_size(16)));

// True when all bytes of a block are plain (kPlain). As numbers with a sign, what is not ASCII and
// the control bytes are less than a blank.
bool block_is_plain(const char* bytes) {
  Block block;
  std::memcpy(&block, bytes, sizeof block);
  const auto special = (block < 0x20) | (block == '"') | (block == '\\');
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), &special, sizeof special);
  return (halves[0] | halves[1]) == 0;
}

template <class Text>
void add(Text& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

template <class Text>
void append_escape(Text& out, char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (byte) {
    case '"':
      return add(out, "\\\"");
    case '\\':
      return add(out, "\\\\");
    case '\n':
      return add(out, "\\n");
    case '\r':
      return add(out, "\\r");
    case '\t':
      return add(out, "\\t");
    default:
      break;
  }
  const auto value = static_cast<unsigned char>(byte);
  add(out, "\\u00");
  out.push_back(kHex[value >> 4U]);
  out.push_back(kHex[value & 15U]);
}

struct CivilDate {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// Days since 1970 to a date: Howard Hinnant's civil_from_days.
CivilDate civil_date(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

void append_digits(std::string& out, std::uint64_t value, unsigned digits) {
  const std::size_t start = out.size();
  out.resize(start + digits);
  for (std::size_t i = digits; i > 0; --i) {
    out[start + i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::size_t plain_json_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (text.size() - at >= sizeof(Block) && block_is_plain(text.data() + at)) {
    at += sizeof(Block);
  }
  while (at < text.size() && kPlain[static_cast<unsigned char>(text[at])]) {
    ++at;
  }
  return at;
}

std::size_t utf8_sequence(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_sequence(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

template <class Text>
bool append_json_string(Text& out, std::string_view text) {
  bool valid = true;
  out.push_back('"');
  while (true) {
    const std::size_t plain = plain_json_prefix(text);
    add(out, text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      append_escape(out, text.front());
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = utf8_sequence(text);
    valid = valid && length > 0;
    add(out, length > 0 ? text.substr(0, length) : kReplacement);
    text.remove_prefix(length > 0 ? length : 1);
  }
  out.push_back('"');
  return valid;
}

template bool append_json_string(std::string& out, std::string_view text);
template bool append_json_string(fmt::memory_buffer& out, std::string_view text);

std::string utc_timestamp(std::int64_t nanoseconds_since_epoch) {
  constexpr std::int64_t kMillisecondsPerDay = 86'400'000;
  const std::int64_t milliseconds = nanoseconds_since_epoch / 1'000'000;
  std::int64_t days = milliseconds / kMillisecondsPerDay;
  if (milliseconds % kMillisecondsPerDay < 0) --days;
  const auto of_day = static_cast<std::uint64_t>(milliseconds - days * kMillisecondsPerDay);
  const CivilDate date = civil_date(days);
  std::string out;
  out.reserve(24);
  append_digits(out, static_cast<std::uint64_t>(date.year), 4);
  out += '-';
  append_digits(out, date.month, 2);
  out += '-';
  append_digits(out, date.day, 2);
  out += 'T';
  append_digits(out, of_day / 3'600'000, 2);
  out += ':';
  append_digits(out, of_day / 60'000 % 60, 2);
  out += ':';
  append_digits(out, of_day / 1000 % 60, 2);
  out += '.';
  append_digits(out, of_day % 1000, 3);
  out += 'Z';
  return out;
}

void append_base64(fmt::memory_buffer& out, std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    const auto byte = [&](std::size_t i) -> unsigned {
      return i < group.size() ? static_cast<unsigned char>(group[i]) : 0U;
    };
    const unsigned bits = byte(0) << 16U | byte(1) << 8U | byte(2);
    for (std::size_t i = 0; i < 4; ++i) {
      out.push_back(i <= group.size() ? kAlphabet[bits >> (18U - 6U * i) & 63U] : '=');
    }
  }
}

}  // namespace ni::wire
