#include "sys/main_thread.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

#include "support/catch.h"
#include "sys/reap.h"

using namespace ni;

namespace {

// A process that waits until it is killed; it has started one more of its kind.
class Waiting {
 public:
  Waiting() : pid_(start(::getpid())) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Pid pid() const { return *Pid::from(pid_); }
  char wait_for(char state) const {
    for (int i = 0; i < 1000 && sys::state_of(pid()) != state; ++i) ::usleep(1000);
    return sys::state_of(pid());
  }

 private:
  static pid_t start(pid_t parent) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    wait_as_child_of(parent);
  }
  [[noreturn]] static void wait_as_child_of(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);  // it ended before it could be noticed: prctl(2)
    static bool started = false;
    const pid_t self = ::getpid();
    if (!std::exchange(started, true) && ::fork() == 0) wait_as_child_of(self);
    for (;;) ::pause();
  }
  pid_t pid_;
};

}  // namespace

TEST_CASE("the main thread of a process is seen waiting, and stopped") {
  const Waiting process;
  REQUIRE(process.wait_for('S') == 'S');
  ::usleep(10'000);
  const auto seen = sys::look_at_main_thread(process.pid());
  REQUIRE(seen);
  CHECK(seen->state == 'S');
  CHECK(seen->cpu < 1s);
  CHECK_FALSE(seen->started.empty());
  ::kill(process.pid().value(), SIGSTOP);
  CHECK(process.wait_for('T') == 'T');
}

TEST_CASE("a process that is gone has no main thread") {
  const Pid nobody = *Pid::from(4'194'303);  // pid_max on 64 bit is above every pid
  CHECK_FALSE(sys::look_at_main_thread(nobody));
  CHECK(sys::state_of(nobody) == '?');
}

TEST_CASE("who is left below us is named") {
  const Waiting process;
  const auto left = sys::everyone_left(8);
  const auto found = std::ranges::find_if(
      left, [&](const sys::LeftOver& each) { return each.pid == process.pid(); });
  REQUIRE(found != left.end());
  CHECK_FALSE(found->name.empty());
  CHECK(sys::everyone_left(0).empty());
}
