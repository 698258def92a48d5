#include "core/sizing/heap.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("a heap given behind an option with a value of its own is seen") {
  const std::vector<std::string> argv = {"node", "--v8-pool-size", "2", "--max-old-space-size=300",
                                         "a.js"};
  CHECK(heap_option_in_argv(argv) == "--max-old-space-size=300");
}
