#include "sys/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "support/catch.h"
#include "sys/fd.h"
#include "sys/reap.h"

using namespace ni;

namespace {

std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

ExitStatus wait_for(Pid pid) {
  for (;;) {
    siginfo_t info{};
    ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
    const sys::Reaped reaped = sys::reap();
    REQUIRE(reaped.ended);
    if (reaped.ended->pid == pid) {
      return reaped.ended->status;
    }
  }
}

struct Ran {
  ExitStatus status;
  std::string output;
};

// Runs a command to its end with its standard output caught.
Ran run(std::vector<std::string> command,
        std::vector<std::string> environment = {"PATH=/bin:/usr/bin"},
        sys::SpawnRequest request = {.argv = nullptr, .environment = nullptr}) {
  auto pipe = sys::make_pipe();
  REQUIRE(pipe);
  const sys::StringArray argv(std::move(command));
  const sys::StringArray variables(std::move(environment));
  const std::array mappings{sys::DescriptorMapping{.from = pipe->write_end.get(), .to = 1}};
  request.argv = argv.get();
  request.environment = variables.get();
  request.descriptors = mappings;
  const sys::SpawnResult result = sys::spawn(request);
  pipe->write_end.reset();
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&result)) {
    FAIL(failure->message);
  }
  const std::string output = read_to_end(pipe->read_end.get());
  return Ran{.status = wait_for(std::get<Pid>(result)), .output = output};
}

sys::SpawnFailure failure_of(std::vector<std::string> command,
                             std::vector<std::string> environment = {"PATH=/bin:/usr/bin"},
                             sys::SpawnRequest request = {.argv = nullptr,
                                                          .environment = nullptr}) {
  const sys::StringArray argv(std::move(command));
  const sys::StringArray variables(std::move(environment));
  request.argv = argv.get();
  request.environment = variables.get();
  const sys::SpawnResult result = sys::spawn(request);
  REQUIRE(std::holds_alternative<sys::SpawnFailure>(result));
  while (sys::reap().anyone_left) {
  }
  return std::get<sys::SpawnFailure>(result);
}

class TemporaryFile {
 public:
  TemporaryFile(const std::string& text, mode_t mode) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::fchmod(fd, mode);
    ::close(fd);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/nodeinit-test-XXXXXX";
};

}  // namespace

TEST_CASE("a program gets its arguments and environment, and its exit code comes back") {
  const Ran ran = run({"sh", "-c", "echo \"$0|$1|$A\"; exit 7", "x y", ""}, {"PATH=/bin", "A=1=2"});
  CHECK(ran.output == "x y||1=2\n");
  CHECK(ran.status == ExitStatus::exited(7));
}

TEST_CASE("death by a signal is told apart from an exit code") {
  CHECK(run({"sh", "-c", "kill -KILL $$"}).status == ExitStatus::killed_by(signals::kill));
  CHECK(run({"sh", "-c", "exit 137"}).status == ExitStatus::exited(137));
}

TEST_CASE("a program starts with a clean mask and default dispositions in a group of its own") {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  ::signal(SIGRTMAX, SIG_IGN);  // the last of 64
  const Ran ran = run({"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"});
  ::sigaction(SIGPIPE, &before, nullptr);
  ::signal(SIGRTMAX, SIG_DFL);
  CHECK(ran.output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  CHECK(run({"sh", "-c", "set -- $(cat /proc/self/stat); [ $5 = $$ ] && echo own"}).output ==
        "own\n");
}

TEST_CASE("a missing command is 127, one that may not run 126, and the message names it",
          "[not-emulated]") {
  CHECK(failure_of({"no-such-command"}).exit_code == 127);
  CHECK(failure_of({"no-such-command"}).message ==
        "cannot execute no-such-command: not found in PATH");
  CHECK(failure_of({"/no/such/command"}).exit_code == 127);
  CHECK(failure_of({""}).exit_code == 127);
  CHECK(failure_of({"/etc"}).exit_code == 126);
  CHECK(failure_of({"/etc/passwd"}).exit_code == 126);
  CHECK(failure_of({"passwd"}, {"PATH=/bin/nowhere:/etc:/nonexistent"}).exit_code == 126);
}

TEST_CASE("a file that is found but whose interpreter is missing says so", "[not-emulated]") {
  const TemporaryFile script("#!/no/such/interpreter\n", 0755);
  const sys::SpawnFailure failure = failure_of({script.path()});
  CHECK(failure.exit_code == 126);
  CHECK(failure.message.find("interpreter") != std::string::npos);
}

TEST_CASE("text without a first line is given to the shell, an unknown format is not",
          "[not-emulated]") {
  const TemporaryFile script("exit $1\n", 0755);
  CHECK(run({script.path(), "9"}).status == ExitStatus::exited(9));
  const TemporaryFile garbage(std::string("\x7f"
                                          "ELF\0\0\1\2",
                                          8),
                              0755);
  CHECK(failure_of({garbage.path()}).exit_code == 126);
  const TemporaryFile empty("", 0755);
  CHECK(failure_of({empty.path()}).exit_code == 126);
}

TEST_CASE("PATH of the new environment is searched, a default one when it has none",
          "[not-emulated]") {
  CHECK(run({"true"}, {}).status.success());
  CHECK(failure_of({"true"}, {"PATH=/etc"}).exit_code == 127);
  CHECK(run({"env"}, {"PATH=/nonexistent:/bin:/usr/bin", "B=2", "A=1"}).output ==
        "PATH=/nonexistent:/bin:/usr/bin\nB=2\nA=1\n");
}

TEST_CASE("descriptors are mapped even when they trade places") {
  auto first = sys::make_pipe();
  auto second = sys::make_pipe();
  REQUIRE((first && second));
  const int a = first->write_end.get();
  const int b = second->write_end.get();
  const sys::StringArray argv(
      {"sh", "-c", "echo from-a >&" + std::to_string(a) + "; echo from-b >&" + std::to_string(b)});
  const sys::StringArray environment({"PATH=/bin"});
  const std::array mappings{sys::DescriptorMapping{.from = a, .to = b},
                            sys::DescriptorMapping{.from = b, .to = a}};
  const auto result =
      sys::spawn({.argv = argv.get(), .environment = environment.get(), .descriptors = mappings});
  first->write_end.reset();
  second->write_end.reset();
  REQUIRE(std::holds_alternative<Pid>(result));
  CHECK(read_to_end(first->read_end.get()) == "from-b\n");
  CHECK(read_to_end(second->read_end.get()) == "from-a\n");
  CHECK(wait_for(std::get<Pid>(result)).success());
}

TEST_CASE("a descriptor mapped to its own number is passed on, others of ours are not") {
  auto pipe = sys::make_pipe();
  REQUIRE(pipe);
  const int fd = pipe->write_end.get();
  const sys::StringArray argv({"sh", "-c", "ls /proc/$$/fd >&" + std::to_string(fd)});
  const sys::StringArray environment({"PATH=/bin"});
  const std::array mappings{sys::DescriptorMapping{.from = fd, .to = fd}};
  const auto result =
      sys::spawn({.argv = argv.get(), .environment = environment.get(), .descriptors = mappings});
  pipe->write_end.reset();
  const std::string listed = read_to_end(pipe->read_end.get());
  CHECK(listed.find("\n" + std::to_string(fd) + "\n") != std::string::npos);
  CHECK(listed.find("\n" + std::to_string(pipe->read_end.get()) + "\n") == std::string::npos);
  CHECK(wait_for(std::get<Pid>(result)).success());
}

TEST_CASE("a working directory is entered, and a missing one named", "[not-emulated]") {
  CHECK(run({"pwd"}, {"PATH=/bin"}, {.argv = nullptr, .environment = nullptr, .directory = "/usr"})
            .output == "/usr\n");
  const auto failure = failure_of(
      {"pwd"}, {"PATH=/bin"}, {.argv = nullptr, .environment = nullptr, .directory = "/nowhere"});
  CHECK(failure.stage == sys::SpawnStage::directory);
  CHECK(failure.message == "cannot execute pwd in /nowhere: No such file or directory");
}

TEST_CASE("a program can be run as another user with that user's groups alone") {
  if (::geteuid() != 0) {
    return;  // needs root
  }
  const UserIds user{.uid = 12345, .gid = 23456, .groups = {34567}};
  const Ran ran = run({"sh", "-c", "id -u; id -g; id -G"}, {"PATH=/bin:/usr/bin"},
                      {.argv = nullptr, .environment = nullptr, .user = &user});
  CHECK(ran.output == "12345\n23456\n23456 34567\n");
}

TEST_CASE("a program has the limit of descriptors that is asked for, and we keep ours") {
  const sys::DescriptorLimit ours = sys::descriptor_limit();
  const sys::SpawnRequest limited{.argv = nullptr,
                                  .environment = nullptr,
                                  .descriptor_limit = sys::DescriptorLimit{.soft = 77, .hard = 99}};
  CHECK(run({"sh", "-c", "ulimit -Sn; ulimit -Hn"}, {"PATH=/bin:/usr/bin"}, limited).output ==
        "77\n99\n");
  CHECK(sys::descriptor_limit().soft == ours.soft);
}

TEST_CASE("LISTEN_PID names the new process when it named us, and is left alone otherwise") {
  const std::string ours = "LISTEN_PID=" + std::to_string(::getpid());
  const sys::SpawnRequest takes{.argv = nullptr, .environment = nullptr, .takes_listen_pid = true};
  CHECK(run({"sh", "-c", "[ $LISTEN_PID = $$ ] && env"}, {"PATH=/bin:/usr/bin", ours, "Z=1"}, takes)
            .status.success());
  CHECK(run({"env"}, {"PATH=/bin:/usr/bin", "LISTEN_PID=1"}, takes).output ==
        "PATH=/bin:/usr/bin\nLISTEN_PID=1\n");
}

TEST_CASE("the OOM score is set before the program runs") {
  const Ran ran =
      run({"cat", "/proc/self/oom_score_adj"}, {"PATH=/bin"},
          {.argv = nullptr, .environment = nullptr, .oom_score_adj = std::optional<int>(300)});
  CHECK(ran.output == "300\n");
}

TEST_CASE("reaping says when nobody has ended and when nobody is left") {
  CHECK_FALSE(sys::reap().anyone_left);
  const sys::StringArray argv({"sleep", "60"});
  const sys::StringArray environment({"PATH=/bin"});
  const auto result = sys::spawn({.argv = argv.get(), .environment = environment.get()});
  REQUIRE(std::holds_alternative<Pid>(result));
  const sys::Reaped nobody_yet = sys::reap();
  CHECK_FALSE(nobody_yet.ended);
  CHECK(nobody_yet.anyone_left);
  sys::signal_everyone_left(signals::kill, std::nullopt);
  CHECK(wait_for(std::get<Pid>(result)) == ExitStatus::killed_by(signals::kill));
  CHECK_FALSE(sys::reap().anyone_left);
}

TEST_CASE("a program can be started from another directory than ours, relative names included",
          "[not-emulated]") {
  const sys::UniqueFd directory(::open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(directory);
  const sys::SpawnRequest there{
      .argv = nullptr, .environment = nullptr, .directory_fd = directory.get()};
  CHECK(run({"pwd"}, {"PATH=/bin"}, there).output == "/usr\n");
  CHECK(run({"bin/env", "pwd"}, {"PATH=/bin"}, there).output == "/usr\n");
  CHECK(failure_of({"bin/no-such-command"}, {"PATH=/bin"}, there).exit_code == 127);
}

TEST_CASE("a process that is stopped on its way to its program keeps nobody waiting") {
  const sys::StringArray argv({"true"});
  const sys::StringArray environment({"PATH=/bin:/usr/bin"});
  for (int attempt = 0; attempt < 1000; ++attempt) {
    auto begun = sys::begin_spawn({.argv = argv.get(), .environment = environment.get()});
    REQUIRE(std::holds_alternative<sys::Starting>(begun));
    auto& starting = std::get<sys::Starting>(begun);
    ::kill(starting.pid().value(), SIGSTOP);
    siginfo_t stopped{};
    ::waitid(P_PID, static_cast<id_t>(starting.pid().value()), &stopped,
             WSTOPPED | WEXITED | WNOWAIT);
    const bool on_its_way = stopped.si_code == CLD_STOPPED && !starting.outcome();
    ::kill(starting.pid().value(), SIGCONT);
    if (on_its_way) {
      CHECK(starting.wait(5s));
      CHECK(std::holds_alternative<Pid>(*starting.outcome()));
    }
    CHECK(wait_for(starting.pid()) == ExitStatus::exited(0));
    if (on_its_way) {
      return;
    }
  }
  FAIL("it was always there before the signal");
}

TEST_CASE("the report of a start survives a descriptor that lands on its number") {
  const sys::StringArray argv({"no-such-command"});
  const sys::StringArray environment({"PATH=/bin"});
  std::vector<sys::DescriptorMapping> mappings;
  for (int to = 3; to < 40; ++to) {
    mappings.push_back({.from = 1, .to = to});
  }
  const auto result =
      sys::spawn({.argv = argv.get(), .environment = environment.get(), .descriptors = mappings});
  REQUIRE(std::holds_alternative<sys::SpawnFailure>(result));
  CHECK(std::get<sys::SpawnFailure>(result).exit_code == 127);
  while (sys::reap().anyone_left) {
  }
}

TEST_CASE("a process is seen to end from the kill to the reap, and not before") {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      ::pause();
    }
  }
  const Pid pid = *Pid::from(child);
  CHECK_FALSE(sys::is_ending(pid));
  REQUIRE(::kill(child, SIGKILL) == 0);
  CHECK(sys::is_ending(pid));
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(sys::is_ending(pid));
}
