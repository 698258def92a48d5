// Every entry of /proc/self/cgroup that is taken is one that can be used.

#include <cstdint>
#include <string_view>

#include "core/container/cgroup_path.h"
#include "fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ni::CgroupFile file = ni::parse_cgroup_file(text);
  for (const ni::CgroupEntry& entry : file.entries) {
    FUZZ_REQUIRE(entry.path.starts_with('/'));
    FUZZ_REQUIRE((entry.hierarchy == 0) == entry.controllers.empty());
    for (const auto& name : ni::path_components(entry.path)) {
      FUZZ_REQUIRE(!name.empty() && name != "." && name.find('/') == std::string::npos);
    }
  }
  FUZZ_REQUIRE(file.unified() == nullptr || file.unified()->hierarchy == 0);
  return 0;
}
