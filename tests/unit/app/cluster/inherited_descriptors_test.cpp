#include "app/cluster/inherited_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include "support/catch.h"
#include "sys/fd.h"

using namespace ni;

TEST_CASE("a worker's channel takes the first number that no inherited descriptor has") {
  const int first = app::channel_number({});
  CHECK(first >= 3);
  // Ours are close-on-exec: one of them in the way is no reason to go elsewhere.
  const sys::UniqueFd ours(::fcntl(1, F_DUPFD_CLOEXEC, first));
  REQUIRE(ours.get() == first);
  CHECK(app::channel_number({}) == first);
  REQUIRE(::fcntl(first, F_SETFD, 0) == 0);  // now as if it were inherited
  CHECK(app::channel_number({}) > first);
}

TEST_CASE("descriptors of socket activation stay free of the channel, open or not") {
  CHECK(app::channel_number({{"LISTEN_FDS", "40"}}) >= 43);
  CHECK(app::channel_number({{"LISTEN_FDS", "-1"}}) == app::channel_number({}));
  CHECK(app::channel_number({{"LISTEN_FDS", "many"}}) == app::channel_number({}));
}

TEST_CASE("only descriptors that are open count as those of socket activation") {
  const sys::UniqueFd listener(::fcntl(1, F_DUPFD, 3));
  REQUIRE(listener.get() >= 3);
  const std::string up_to = std::to_string(listener.get() - 2);
  const auto found = app::listen_descriptors({{"LISTEN_FDS", up_to}});
  REQUIRE_FALSE(found.empty());
  CHECK(found.back() == listener.get());
  CHECK(app::listen_descriptors({}).empty());
}
