#pragma once

// Writing JSON as text, where a document tree would be too slow or too big: log lines, metrics'
// labels, status.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ni::wire {

// Appends `text` as a JSON string with its quotes. Control bytes are escaped; a byte that is not
// valid UTF-8 becomes U+FFFD, since JSON cannot carry it. Returns false if there was such a byte.
// Text: std::string, or fmt::memory_buffer, which takes small pieces at half the cost.
template <class Text>
bool append_json_string(Text& out, std::string_view text);

// Length of the longest prefix of `text` that stands in a JSON string as it is: ASCII but control
// bytes, '"', '\'.
std::size_t plain_json_prefix(std::string_view text) noexcept;

// Length of the well-formed UTF-8 sequence at the start of `text` (Unicode 15, table 3-7: no
// surrogates, no overlong); 0 if there is none.
std::size_t utf8_sequence(std::string_view text) noexcept;

// Length of the longest prefix of `text` which is valid UTF-8 (Unicode 15, table 3-7: no
// surrogates, no overlong).
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

// "2026-11-22T11:50:16.123Z" of nanoseconds since 1970 (UTC, RFC 3339).
std::string utc_timestamp(std::int64_t nanoseconds_since_epoch);

// Base64 of RFC 4648, padded.
void append_base64(fmt::memory_buffer& out, std::string_view bytes);

}  // namespace ni::wire
