// Whatever stands in mountinfo, the table is bounded by the text, paths start with "/", and
// questions end.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "core/container/mountinfo.h"
#include "fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data),
                              std::min<std::size_t>(size, 8192));
  const ni::MountTable table = ni::parse_mountinfo(text);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  FUZZ_REQUIRE(table.mounts.size() + table.ignored_lines <= lines);
  for (const ni::Mount& mount : table.mounts) {
    FUZZ_REQUIRE(mount.mount_point.starts_with('/'));
    FUZZ_REQUIRE(mount.mount_point.size() <= text.size());
    (void)table.is_covered(mount);
  }
  const std::string bare = ni::unescape_octal(text);
  FUZZ_REQUIRE(bare.size() <= text.size());
  return 0;
}
