// A CPU list that is accepted names at least one CPU, and no more than there can be.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/container/limits.h"
#include "fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr unsigned kMost = (1U << 20U) + 1;
  if (const auto count = ni::parse_cpu_list(text)) {
    FUZZ_REQUIRE(*count >= 1 && *count <= kMost);
    // Named twice is counted once.
    const std::string line(text.substr(0, text.find('\n')));
    if (const auto twice = ni::parse_cpu_list(line + "," + line)) FUZZ_REQUIRE(*twice == *count);
  }
  if (const auto count = ni::parse_cpu_mask(text)) {
    FUZZ_REQUIRE(*count >= 1 && *count <= 4 * size);
  }
  (void)ni::parse_status_affinity(text);
  return 0;
}
