// The quick scanner and jansson agree on what a JSON object is.

#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "wire/json.h"
#include "wire/json_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = ni::wire::Json::parse(text, {.bytes = size, .depth = ni::wire::kDeepestScan});
  const ni::wire::ObjectScan scan = ni::wire::scan_json_object(text, {});
  // jansson 2.14 skips a NUL after a number; JSON does not allow one anywhere.
  const bool has_nul = text.find('\0') != std::string_view::npos;
  if (json && json->is_object() && !has_nul) FUZZ_REQUIRE(scan.is_object);
  if (scan.is_object && !json) {
    // What jansson refuses although it is JSON: numbers too large for it, and U+0000 in a name.
    FUZZ_REQUIRE(text.find("\\u0000") != std::string_view::npos ||
                 text.find_first_of("0123456789") != std::string_view::npos);
  }
  return 0;
}
