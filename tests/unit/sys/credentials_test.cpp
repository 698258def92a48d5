#include "sys/credentials.h"

#include <unistd.h>

#include "support/catch.h"

using namespace ni;

TEST_CASE("whoever we are we may stay") {
  CHECK(sys::can_become({.uid = ::geteuid(), .gid = ::getegid(), .groups = {}}));
}

TEST_CASE("another user can be had with the rights of root alone") {
  const auto can = sys::can_become({.uid = 12345, .gid = 23456, .groups = {34567}});
  if (::geteuid() == 0) {
    return;  // in a container root may have been left any of its rights; the integration tests take them away
  }
  REQUIRE(!can);
  CHECK(to_string(can.error()).find("user 12345:23456") != std::string::npos);
}
