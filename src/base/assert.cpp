#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace ni {
namespace {
// The one mutable global: an assertion has nobody to return its failure to.
constinit std::uint64_t failures = 0;
}  // namespace

bool report_assertion(bool held, const char* condition, const char* file, int line) noexcept {
  if (held) {
    return true;
  }
  ++failures;
#ifdef NI_ASSERT_ABORTS
  (void)std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
#else
  (void)condition, (void)file, (void)line;
  return false;
#endif
}

std::uint64_t assertion_failures() noexcept {
  return failures;
}

}  // namespace ni
