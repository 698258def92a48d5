#include "sys/output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include "support/catch.h"

using ni::sys::Output;
using ni::sys::UniqueFd;
using Kind = Output::Kind;
using Means = Output::Means;

namespace {

struct Ends {
  UniqueFd reader, writer;
};

Ends make_pipe() {
  std::array<int, 2> fds{};
  REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Writes until EAGAIN; what was taken.
std::string fill(Output& output) {
  std::string taken;
  for (int i = 0; i < 10000; ++i) {
    const std::string piece(1000, static_cast<char>('a' + i % 26));
    const Output::Written written = output.write(piece);
    if (written.bytes == 0) {
      CHECK(written.error == EAGAIN);
      return taken;
    }
    taken += piece.substr(0, written.bytes);
  }
  FAIL("never full");
  return taken;
}

std::string read_all(int fd, std::size_t size) {
  std::string out(size, '\0');
  std::size_t at = 0;
  while (at < size) {
    const ssize_t count = read(fd, out.data() + at, size - at);
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  out.resize(at);
  return out;
}

}  // namespace

TEST_CASE("a full pipe answers EAGAIN by every means, loses nothing and keeps its flags") {
  const Means means = GENERATE(Means::reopen, Means::nowait, Means::splice, Means::poll);
  CAPTURE(static_cast<int>(means));
  const Ends ends = make_pipe();
  const int flags = fcntl(ends.writer.get(), F_GETFL);
  Output output = Output::inherited(ends.writer.get(), means);
  CHECK(output.kind() == (means == Means::reopen ? Kind::reopened : Kind::shared_pipe));

  const std::string first = fill(output);
  CHECK(first.size() >= 16000);
  CHECK(read_all(ends.reader.get(), first.size()) == first);
  const std::string second = fill(output);
  CHECK(read_all(ends.reader.get(), second.size()) == second);
  CHECK(fcntl(ends.writer.get(), F_GETFL) == flags);
}

TEST_CASE("a pipe may get more room, nothing else changes") {
  constexpr std::size_t kRoom = 256 * 1024;
  const Ends ends = make_pipe();
  Output output = Output::inherited(ends.writer.get());
  const std::string before = fill(output);
  CHECK(output.widen(kRoom));
  const std::string after = fill(output);
  CHECK(before.size() < kRoom);
  CHECK(before.size() + after.size() > kRoom / 10 * 9);  // pages hold whole pieces
  CHECK(read_all(ends.reader.get(), before.size() + after.size()) == before + after);
  CHECK_FALSE(output.widen(kRoom));      // it has that
  CHECK_FALSE(output.widen(kRoom / 2));  // and keeps it
  CHECK(fcntl(ends.writer.get(), F_GETPIPE_SZ) == kRoom);
  const UniqueFd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
  CHECK_FALSE(Output::inherited(nowhere.get()).widen(kRoom));
  CHECK_FALSE(Output::inherited(-1).widen(kRoom));
}

TEST_CASE("a full socket answers EAGAIN and keeps its flags") {
  std::array<int, 2> fds{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  const UniqueFd reader(fds[0]);
  const UniqueFd writer(fds[1]);
  Output output = Output::inherited(writer.get());
  CHECK(output.kind() == Kind::socket);
  const std::string taken = fill(output);
  CHECK(read_all(reader.get(), taken.size()) == taken);
  CHECK((fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a reader that has gone is EPIPE and leaves no SIGPIPE pending") {
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigset_t before;
  REQUIRE(sigprocmask(SIG_BLOCK, &pipe_only, &before) == 0);
  const Means means = GENERATE(Means::reopen, Means::nowait, Means::splice, Means::poll);
  Ends ends = make_pipe();
  Output output = Output::inherited(ends.writer.get(), means);
  ends.reader.reset();
  CHECK(output.write("gone").error == EPIPE);
  sigset_t pending;
  REQUIRE(sigpending(&pending) == 0);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
  REQUIRE(sigprocmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_CASE("a closed descriptor and a full disk are errors, not ends") {
  Output closed = Output::inherited(987);
  CHECK(closed.kind() == Kind::closed);
  CHECK(closed.write("x").error == EBADF);
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  Output disk = Output::inherited(full.get());
  CHECK(disk.write("x").error == ENOSPC);
  CHECK(disk.watched() == -1);
}

TEST_CASE("two descriptors of one pipe are the same object") {
  const Ends ends = make_pipe();
  const Ends other = make_pipe();
  const UniqueFd copy(fcntl(ends.writer.get(), F_DUPFD_CLOEXEC, 3));
  const Output output = Output::inherited(ends.writer.get());
  CHECK(output.same_object(Output::inherited(copy.get())));
  CHECK_FALSE(output.same_object(Output::inherited(other.writer.get())));
}
