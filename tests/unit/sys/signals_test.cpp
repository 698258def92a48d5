#include "sys/signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "support/catch.h"

using namespace ni;

namespace {

// Blocks everything for one test, and leaves nothing pending behind.
class Blocked {
 public:
  Blocked() {
    ::sigprocmask(SIG_SETMASK, nullptr, &before_);
    sys::block_all_signals();
  }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;
  ~Blocked() {
    while (sys::wait_for_signal(0s)) {
    }
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_{};
};

}  // namespace

TEST_CASE("every signal but KILL, STOP, 32 and 33 can be waited for", "[not-emulated]") {
  const Blocked blocked;
  for (int number = 1; number <= kHighestSignal; ++number) {
    if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33) {
      continue;
    }
    INFO(number);
    REQUIRE(::kill(::getpid(), number) == 0);
    const auto received = sys::wait_for_signal(1s);
    REQUIRE(received);
    CHECK(received->signal.number() == number);
    CHECK(received->sender == ::getpid());
    CHECK_FALSE(received->from_kernel());
    CHECK(received->is_about_us() == (number == SIGPIPE || number == SIGXFSZ));
  }
  CHECK_FALSE(sys::wait_for_signal(0s));
}

TEST_CASE("a queued signal keeps its value and its place") {
  const Blocked blocked;
  const Signal signal = *Signal::from(kFirstRealTimeSignal + 1);
  for (long i = 1; i <= 3; ++i) {
    sigval value{};
    value.sival_ptr = reinterpret_cast<void*>(i);
    REQUIRE(::sigqueue(::getpid(), signal.number(), value) == 0);
  }
  for (long i = 1; i <= 3; ++i) {
    const auto received = sys::wait_for_signal(1s);
    REQUIRE(received);
    CHECK(received->code == SI_QUEUE);
    CHECK(received->value == static_cast<SignalValue>(i));
  }
}

TEST_CASE("a signal descriptor gives what is pending and then nothing, without waiting",
          "[not-emulated]") {
  const Blocked blocked;
  const auto fd = sys::open_signal_fd();
  REQUIRE(fd);
  CHECK_FALSE(sys::read_signal(fd->get()));
  REQUIRE(::kill(::getpid(), SIGTERM) == 0);
  REQUIRE(::kill(::getpid(), SIGSEGV) == 0);
  const auto first = sys::read_signal(fd->get());
  const auto second = sys::read_signal(fd->get());
  REQUIRE((first && second));
  CHECK(first->signal.number() == SIGSEGV);  // the kernel takes synchronous ones first
  CHECK(second->signal == signals::term);
  CHECK(second->sender == ::getpid());
  CHECK_FALSE(sys::read_signal(fd->get()));
}

TEST_CASE("a signal to a process that is gone is an error that says so") {
  const auto sent = sys::send_signal(*Pid::from(4194304), signals::term);  // above PID_MAX_LIMIT
  REQUIRE_FALSE(sent);
  CHECK(to_string(sent.error()) == "cannot send SIGTERM to process 4194304: No such process");
}

TEST_CASE("what the kernel says of our own writing and of our limits is no wish of anybody's") {
  const Blocked blocked;
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  ::close(ends[0]);
  CHECK(::write(ends[1], "x", 1) == -1);
  ::close(ends[1]);
  const auto own = sys::wait_for_signal(1s);
  REQUIRE(own);
  CHECK(own->signal.number() == SIGPIPE);
  CHECK(own->is_about_us());
  const pid_t sender = ::fork();
  if (sender == 0) {
    ::kill(::getppid(), SIGPIPE);
    ::_exit(0);
  }
  auto foreign = sys::wait_for_signal(5s);
  while (foreign && foreign->signal.number() == SIGCHLD) foreign = sys::wait_for_signal(5s);
  REQUIRE(foreign);
  CHECK(foreign->signal.number() == SIGPIPE);
  CHECK_FALSE(foreign->is_about_us());
  CHECK(::waitpid(sender, nullptr, 0) == sender);
}
