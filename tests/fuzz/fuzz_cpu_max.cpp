// A quota that is accepted can be divided and compared, in cpu.max and in v1's pair of files.

#include <cstdint>
#include <string_view>

#include "core/container/limits.h"
#include "core/sizing/plan.h"
#include "fuzz/require.h"

namespace {

void check(const ni::Result<std::optional<ni::CpuQuota>>& quota) {
  if (!quota || !*quota) return;
  FUZZ_REQUIRE((*quota)->quota_us > 0 && (*quota)->period_us > 0);
  FUZZ_REQUIRE((*quota)->cpus().value >= 1 && (*quota)->cpus().value <= 1'000'000'000);
  FUZZ_REQUIRE(!(*quota)->tighter_than(**quota));
  FUZZ_REQUIRE(ni::workers_for_cpus((*quota)->cpus()) >= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(ni::parse_cpu_max(text));
  check(ni::parse_cfs(text, std::nullopt));
  const auto half = text.find('\n');
  if (half != std::string_view::npos) {
    check(ni::parse_cfs(text.substr(0, half), text.substr(half + 1)));
  }
  return 0;
}
