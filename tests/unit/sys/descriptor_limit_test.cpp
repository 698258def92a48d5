#include "sys/descriptor_limit.h"

#include <sys/resource.h>

#include "support/catch.h"

using namespace ni;

TEST_CASE("the soft limit of descriptors is raised to the hard one, and what it was is told") {
  rlimit as_found{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &as_found) == 0);
  const rlimit low{.rlim_cur = 64, .rlim_max = as_found.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const sys::DescriptorLimit before = sys::raise_descriptor_limit();
  CHECK(before.soft == 64);
  CHECK(before.hard == as_found.rlim_max);
  CHECK(sys::descriptor_limit().soft == as_found.rlim_max);
  sys::set_descriptor_limit(before);
  CHECK(sys::descriptor_limit().soft == 64);
  CHECK(::setrlimit(RLIMIT_NOFILE, &as_found) == 0);
}
