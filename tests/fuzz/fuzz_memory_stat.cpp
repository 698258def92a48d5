// A memory figure that is accepted is above zero and not a word for "no limit".

#include <cstdint>
#include <string_view>

#include "core/container/limits.h"
#include "core/sizing/plan.h"
#include "fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t kBeyond = std::uint64_t{1} << 60U;
  const auto check = [](std::optional<ni::Bytes> bytes) {
    FUZZ_REQUIRE(!bytes || (bytes->value > 0 && bytes->value < kBeyond));
    if (bytes) {
      const ni::SizedHeap heap = ni::size_heap(*bytes);
      FUZZ_REQUIRE(heap.size.old_space_mib >= ni::kLeastOldSpaceMib);
      FUZZ_REQUIRE(ni::memory_reserve(*bytes).value >= 32 * ni::kMiB);
    }
  };
  check(ni::parse_hierarchical_limit(text));
  check(ni::parse_mem_total(text));
  if (const auto limit = ni::parse_memory_limit(text)) check(*limit);
  (void)ni::parse_stat(text, "oom_kill");
  return 0;
}
