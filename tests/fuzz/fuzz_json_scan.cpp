// The quick scanner and the parser agree on what a JSON object is.

#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "wire/json.h"
#include "wire/json_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = ni::wire::Json::parse(text, {.bytes = size, .depth = ni::wire::kDeepestScan});
  const ni::wire::ObjectScan scan = ni::wire::scan_json_object(text, {});
  // Half of a surrogate pair: we read on, other parsers do not, and whole lines are for them.
  const bool may_have_half = text.find("\\u") != std::string_view::npos;
  if (json && json->is_object()) FUZZ_REQUIRE(scan.is_object || may_have_half);
  if (scan.is_object && !json) {
    // What the parser refuses although it is JSON: numbers too large for it.
    FUZZ_REQUIRE(text.find_first_of("0123456789") != std::string_view::npos);
  }
  if (json) {  // what is written is read as the same
    const auto again = ni::wire::Json::parse(json->text(), {.bytes = 8 * size, .depth = 64});
    FUZZ_REQUIRE(again);
    FUZZ_REQUIRE(again->text() == json->text());
  }
  return 0;
}
