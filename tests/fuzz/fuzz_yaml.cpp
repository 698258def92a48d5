// Whatever a YAML text says: an error with its place, or JSON that reads back as itself.

#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "wire/yaml.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto value = wire::parse_yaml(std::string_view(reinterpret_cast<const char*>(data), size),
                                      {.bytes = 1U << 16U});
  if (!value) {
    FUZZ_REQUIRE(!to_string(value.error()).empty());
    return 0;
  }
  if (value->is_object() || value->is_array()) {
    const auto again = wire::Json::parse(value->text(), {.bytes = 1U << 26U, .depth = 64});
    FUZZ_REQUIRE(again && again->text() == value->text());
  }
  return 0;
}
