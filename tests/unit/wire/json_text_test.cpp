#include "wire/json_text.h"

#include <string>

#include "support/catch.h"

using namespace ni::wire;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  (void)append_json_string(out, text);
  return out;
}

}  // namespace

TEST_CASE("a JSON string escapes what it must and nothing else") {
  CHECK(quoted("plain text longer than eight") == "\"plain text longer than eight\"");
  CHECK(quoted("a\"b\\c\nd\re\tf") == R"("a\"b\\c\nd\re\tf")");
  CHECK(quoted(std::string_view("\0\x1b\x7f", 3)) == "\"\\u0000\\u001b\x7f\"");
  CHECK(quoted("grün 😀 12345678") == "\"grün 😀 12345678\"");
}

TEST_CASE("the plain prefix ends at the first byte that is not plain, wherever it stands") {
  for (int value = 0; value < 256; ++value) {
    const char byte = static_cast<char>(value);
    const bool plain = value >= 0x20 && value < 0x80 && byte != '"' && byte != '\\';
    for (std::size_t at = 0; at < 50; ++at) {
      std::string text(50, ' ');
      text[at] = byte;
      REQUIRE(plain_json_prefix(text) == (plain ? text.size() : at));
      REQUIRE(plain_json_prefix(std::string_view(text).substr(at)) ==
              (plain ? text.size() - at : 0));
    }
  }
}

TEST_CASE("bytes that are not UTF-8 become U+FFFD and are told of") {
  std::string out;
  CHECK_FALSE(append_json_string(out, "a\xffz\xc3"));
  CHECK(out == "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\"");
  CHECK(valid_utf8_prefix("ab\xed\xa0\x80") == 2);      // a surrogate
  CHECK(valid_utf8_prefix("ab\xc0\x80") == 2);          // overlong
  CHECK(valid_utf8_prefix("ab\xf4\x90\x80\x80") == 2);  // above U+10FFFF
  CHECK(valid_utf8_prefix("ab\xf0\x9f\x98\x80") == 6);
}

TEST_CASE("a timestamp is RFC 3339 in UTC, to the millisecond") {
  CHECK(utc_timestamp(0) == "1970-01-01T00:00:00.000Z");
  CHECK(utc_timestamp(1'709'210'096'789'000'000) == "2024-02-29T12:34:56.789Z");
  CHECK(utc_timestamp(4'102'444'799'999'999'999) == "2099-12-31T23:59:59.999Z");
}

TEST_CASE("base64 is padded") {
  for (const auto& [bytes, text] :
       {std::pair{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}}) {
    fmt::memory_buffer out;
    append_base64(out, bytes);
    CHECK(fmt::to_string(out) == text);
  }
}
