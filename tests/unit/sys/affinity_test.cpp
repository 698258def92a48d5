#include "sys/affinity.h"

#include <algorithm>
#include <cerrno>

#include "support/catch.h"

using namespace ni;

namespace {

// A kernel made for so many CPUs, all of which are allowed.
template <std::size_t kCpus>
long kernel_with(std::size_t size, unsigned long* mask) {
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  if (size * 8 < kCpus) {
    errno = EINVAL;
    return -1;
  }
  std::fill_n(mask, kCpus / kBits, ~0UL);
  return kCpus / 8;
}

long denied(std::size_t, unsigned long*) {
  errno = EPERM;
  return -1;
}

}  // namespace

TEST_CASE("the affinity of this process is counted") {
  const auto count = sys::affinity_count();
  REQUIRE(count);
  CHECK(*count >= 1);
}

TEST_CASE("a mask for more than 1024 CPUs is asked for until it is large enough") {
  CHECK(*sys::affinity_count(kernel_with<64>) == 64);
  CHECK(*sys::affinity_count(kernel_with<1024>) == 1024);
  CHECK(*sys::affinity_count(kernel_with<2048>) == 2048);
  CHECK(*sys::affinity_count(kernel_with<8192>) == 8192);
}

TEST_CASE("an affinity that cannot be asked for is an error, not a guess") {
  CHECK_FALSE(sys::affinity_count(denied));
}
