// A whole container of nonsense: "path\0content\0path\0content…". Something is always granted, and
// a plan made.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/container/resources.h"
#include "core/sizing/plan.h"
#include "fuzz/require.h"
#include "support/map_files.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data),
                              std::min<std::size_t>(size, 16'384));
  test::MapFiles files;
  const auto pieces = split(text, '\0');
  for (std::size_t i = 0; i + 1 < pieces.size(); i += 2) {
    files.put(std::string(pieces[i]), std::string(pieces[i + 1]));
  }
  const Resources found = read_resources(files, {});
  FUZZ_REQUIRE(found.cpus.value.value >= 1);
  FUZZ_REQUIRE(!found.memory || found.memory->value.value > 0);
  FUZZ_REQUIRE(!found.cpu_quota || found.cpu_quota->value.cpus() >= found.cpus.value);
  FUZZ_REQUIRE(!found.memory_limit || found.memory->value <= found.memory_limit->value);
  for (const Hierarchy* place :
       {&found.cpu_hierarchy, &found.cpuset_hierarchy, &found.memory_hierarchy}) {
    FUZZ_REQUIRE(place->found() == (place->version != 0));
    FUZZ_REQUIRE(!place->how.empty());
  }
  const Plan plan = make_plan(found, {});
  FUZZ_REQUIRE(plan.workers >= 1 && plan.workers <= kMostWorkers);
  FUZZ_REQUIRE(!plan.heap || plan.heap->old_space_mib >= kLeastOldSpaceMib);
  return 0;
}
