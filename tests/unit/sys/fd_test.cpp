#include "sys/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "support/catch.h"

using namespace ni;

namespace {
bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}
}  // namespace

TEST_CASE("an owned descriptor is closed once, by its last owner") {
  auto pipe = sys::make_pipe();
  REQUIRE(pipe);
  const int number = pipe->read_end.get();
  {
    const sys::UniqueFd owner = std::move(pipe->read_end);
    CHECK(owner.get() == number);
    CHECK_FALSE(pipe->read_end);
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("descriptors are born close-on-exec and away from the standard ones") {
  auto pipe = sys::make_pipe();
  REQUIRE(pipe);
  CHECK(::fcntl(pipe->read_end.get(), F_GETFD) == FD_CLOEXEC);
  const auto copy = sys::duplicate(pipe->write_end.get());
  REQUIRE(copy);
  CHECK(copy->get() >= 3);
  CHECK(::fcntl(copy->get(), F_GETFD) == FD_CLOEXEC);
  const auto file = sys::open_read("/proc/self/status");
  REQUIRE(file);
  CHECK(::fcntl(file->get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("closing all from a number on spares those that are named") {
  constexpr int kFirst = 200;  // above what the test program itself holds
  for (int fd = kFirst; fd < kFirst + 8; ++fd) {
    REQUIRE(::dup2(STDERR_FILENO, fd) == fd);
  }
  constexpr std::array kSpared = {kFirst + 5, -1, kFirst, kFirst + 1};
  sys::close_from(kFirst, kSpared);
  for (int fd = kFirst; fd < kFirst + 8; ++fd) {
    CHECK(is_open(fd) == (std::ranges::find(kSpared, fd) != kSpared.end()));
  }
  sys::close_from(kFirst);
  CHECK_FALSE(is_open(kFirst));
}

TEST_CASE("a file that is not there is an error that names it") {
  const auto file = sys::open_read("/nonexistent/file");
  REQUIRE_FALSE(file);
  CHECK(to_string(file.error()) == "cannot open /nonexistent/file: No such file or directory");
}
