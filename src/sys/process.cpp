#include "sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/signal.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/exec_path.h"
#include "sys/signals.h"

namespace ni::sys {
namespace {

// signal sets and actions as the kernel has them: glibc's calls leave out signals 32 and 33.
using KernelSignalSet = std::uint64_t;
struct KernelSignalAction {
  void* handler;  // nullptr is SIG_DFL
  unsigned long flags;
  void* restorer;
  KernelSignalSet mask;
};

constexpr std::string_view kListenPid = "LISTEN_PID=";

// Everything the new process needs, made before it is there.
struct Preparation {
  const SpawnRequest& request;
  ExecPath& path;
  const char* const* environment;
  char* listen_pid;  // where the digits of LISTEN_PID go, or nullptr
  pid_t parent;
  std::span<int> sources;  // of request.descriptors; the new process changes them
  int above_targets;       // a number above every target of request.descriptors
  int report;              // the end of the pipe that says why it did not get to the program
};

[[noreturn]] void give_up(const Preparation& prepared, SpawnStage stage, int code) noexcept {
  const bool not_found = stage == SpawnStage::exec && code == ENOENT;
  const SpawnReport report{
      .stage = stage, .code = code, .program_exists = not_found && prepared.path.exists(-1)};
  (void)!::write(prepared.report, &report, sizeof report);  // less than PIPE_BUF: whole or not
  ::_exit(127);
}

void reset_signal_dispositions() noexcept {
  const KernelSignalAction by_default{};
  for (int signal = 1; signal <= kHighestSignal; ++signal) {
    (void)::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
  }
}

bool is_a_target(std::span<const DescriptorMapping> mappings, int fd) noexcept {
  return std::any_of(mappings.begin(), mappings.end(),
                     [fd](const DescriptorMapping& mapping) { return mapping.to == fd; });
}

// Two steps, so that no mapping overwrites the source of a later one, or the report.
void map_descriptors(Preparation& prepared) noexcept {
  const auto mappings = prepared.request.descriptors;
  const auto move_away = [&](int& fd) {
    const int moved =
        is_a_target(mappings, fd) ? ::fcntl(fd, F_DUPFD_CLOEXEC, prepared.above_targets) : fd;
    if (moved < 0) {
      give_up(prepared, SpawnStage::descriptors, errno);
    }
    fd = moved;
  };
  move_away(prepared.report);
  std::ranges::for_each(prepared.sources, move_away);
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    if (::dup2(prepared.sources[i], mappings[i].to) < 0) {
      give_up(prepared, SpawnStage::descriptors, errno);
    }
  }
}

void set_oom_score_adj(int score) noexcept {
  std::array<char, 12> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), score);
  (void)error;
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!::write(fd, text.data(), static_cast<std::size_t>(end - text.data()));
    ::close(fd);
  }
}

// System calls by number: glibc's setuid(3) and its like take locks, and talk to threads.
void become(const Preparation& prepared, const UserIds& user) noexcept {
  if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0 ||
      ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0 ||
      ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) {
    const int error = errno;
    const bool are_already = user.uid == ::geteuid() && user.gid == ::getegid();
    if (error != EPERM ||
        !are_already) {  // an image's USER may have done it, and taken the right to
      give_up(prepared, SpawnStage::user, error);
    }
  }
}

void die_with(const Preparation& prepared) noexcept {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != prepared.parent) {
    give_up(prepared, SpawnStage::parent_gone, ESRCH);  // it ended before the kernel was told
  }
}

void write_listen_pid(char* digits) noexcept {
  const auto [end, error] = std::to_chars(digits, digits + 11, ::getpid());
  (void)error;
  *end = '\0';
}

// What the new process does until it is another program. Only async-signal-safe calls from here on.
[[noreturn]] void run_in_new_process(Preparation& prepared) noexcept {
  const SpawnRequest& request = prepared.request;
  reset_signal_dispositions();
  if (request.own_group) {
    (void)::setpgid(0, 0);
    if (request.foreground_of >= 0) {
      (void)::tcsetpgrp(request.foreground_of, ::getpid());  // SIGTTOU is still blocked
    }
  }
  if (request.oom_score_adj) {
    set_oom_score_adj(*request.oom_score_adj);
  }
  map_descriptors(prepared);
  if (request.descriptor_limit) {
    set_descriptor_limit(*request.descriptor_limit);
  }
  if (request.directory_fd >= 0 && ::fchdir(request.directory_fd) != 0) {
    give_up(prepared, SpawnStage::directory, errno);
  }
  if (request.user != nullptr) {
    become(prepared, *request.user);
  }
  if (request.directory != nullptr && ::chdir(request.directory) != 0) {
    give_up(prepared, SpawnStage::directory, errno);
  }
  if (request.dies_with_us) {
    die_with(prepared);  // after the change of user, which forgets it (prctl(2))
  }
  if (prepared.listen_pid != nullptr) {
    write_listen_pid(prepared.listen_pid);
  }
  constexpr KernelSignalSet none = 0;
  (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
  give_up(prepared, SpawnStage::exec, prepared.path.execute(prepared.environment));
}

class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    constexpr KernelSignalSet all = ~KernelSignalSet{0};
    (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, sizeof all);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() {
    (void)::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_);
  }

 private:
  KernelSignalSet before_ = 0;
};

// A process of its own memory, and we go on at once: with CLONE_VFORK we would stand still for as
// long as the new process does, which a SIGSTOP of any process of its user, or a file system that
// hangs, may make for ever. The tables of our few pages are copied in about a tenth of a
// millisecond. Not fork(3): nothing registered by pthread_atfork(3) concerns the new process.
// Answers the pid or -errno.
pid_t clone_and_exec(Preparation& prepared) noexcept {
  const BlockedSignals blocked;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid == 0) {
    run_in_new_process(prepared);
  }
  return pid < 0 ? -errno : pid;
}

// The environment with LISTEN_PID pointing to `buffer`, in its old place; empty when it does not
// name us.
std::vector<const char*> with_own_listen_pid(const char* const* environment, char* buffer) {
  const std::string ours = std::string(kListenPid) + std::to_string(::getpid());
  std::size_t count = 0;
  std::size_t found = SIZE_MAX;
  for (; environment[count] != nullptr; ++count) {
    if (ours == environment[count]) {
      found = count;
    }
  }
  if (found == SIZE_MAX) {
    return {};
  }
  std::vector<const char*> changed(environment, environment + count + 1);
  changed[found] = buffer;
  return changed;
}

// What is short now and may not be a moment later. ETXTBSY: the file is just being written.
bool is_lack(int code) {
  constexpr std::array kLacks = {EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EINTR};
  return std::ranges::find(kLacks, code) != kLacks.end();
}

std::string describe(int code) {
  const std::string reason = std::strerror(code);
  switch (code) {
    case EAGAIN:  // clone(2), setresuid(2), execve(2)
      return reason + " (no more processes are allowed: a pids limit, or ulimit -u)";
    case EMFILE:
      return reason + " (ulimit -n)";
    default:
      return reason;
  }
}

std::string why(const SpawnNames& names, const SpawnReport& report) {
  const std::string reason = describe(report.code);
  switch (report.stage) {
    case SpawnStage::clone:
      return "cannot start " + names.program + ": " + reason;
    case SpawnStage::descriptors:
      return "cannot pass descriptors to " + names.program + ": " + reason;
    case SpawnStage::user:
      return "cannot execute " + names.program + " as user " + names.user + ": " + reason;
    case SpawnStage::directory:
      return "cannot execute " + names.program + " in " + names.directory + ": " + reason;
    case SpawnStage::parent_gone:
      return "cannot execute " + names.program + ": its parent is gone";
    case SpawnStage::exec:
      return "cannot execute " + names.program + ": " +
             (report.program_exists ? "it is there, but its interpreter or loader is not"
              : report.code == ENOENT && names.program.find('/') == std::string::npos
                  ? "not found in PATH"
                  : reason);
  }
  return names.program;
}

SpawnFailure failure(const SpawnNames& names, const SpawnReport& report) {
  const bool not_found = report.stage == SpawnStage::exec && report.code == ENOENT;
  return SpawnFailure{.stage = report.stage,
                      .code = report.code,
                      .exit_code = not_found && !report.program_exists ? 127 : 126,
                      .message = why(names, report),
                      .lacked = is_lack(report.code)};
}

SpawnNames names_of(const SpawnRequest& request) {
  SpawnNames names{.program = printable(request.argv[0] == nullptr ? "" : request.argv[0]),
                   .directory = printable(request.directory == nullptr ? "." : request.directory)};
  if (request.user != nullptr) {
    names.user = std::to_string(request.user->uid) + ":" + std::to_string(request.user->gid);
  }
  return names;
}

}  // namespace

std::variant<Starting, SpawnFailure> begin_spawn(const SpawnRequest& request) {
  SpawnNames names = names_of(request);
  auto report = make_pipe();
  if (!report || !set_nonblocking(report->read_end.get())) {
    const int code = report ? errno : report.error().code;
    return failure(names, SpawnReport{.stage = SpawnStage::clone, .code = code});
  }
  ExecPath path(request.argv, request.environment);
  std::vector<int> sources;
  int above_targets = 3;
  for (const DescriptorMapping& mapping : request.descriptors) {
    sources.push_back(mapping.from);
    above_targets = std::max(above_targets, mapping.to + 1);
  }
  std::array<char, kListenPid.size() + 12> listen_pid{};
  std::vector<const char*> environment;
  if (request.takes_listen_pid) {
    kListenPid.copy(listen_pid.data(), kListenPid.size());
    environment = with_own_listen_pid(request.environment, listen_pid.data());
  }
  Preparation prepared{
      .request = request,
      .path = path,
      .environment = environment.empty() ? request.environment : environment.data(),
      .listen_pid = environment.empty() ? nullptr : listen_pid.data() + kListenPid.size(),
      .parent = ::getpid(),
      .sources = sources,
      .above_targets = above_targets,
      .report = report->write_end.get()};
  const pid_t pid = clone_and_exec(prepared);
  if (pid < 0) {
    return failure(names, SpawnReport{.stage = SpawnStage::clone, .code = -pid});
  }
  return Starting(*Pid::from(pid), std::move(report->read_end), std::move(names));
}

std::optional<SpawnResult> Starting::outcome() {
  SpawnReport report;
  ssize_t size = 0;
  do {
    size = ::read(report_.get(), &report, sizeof report);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) {
    return std::nullopt;
  }
  if (size == static_cast<ssize_t>(sizeof report)) {
    return failure(names_, report);
  }
  return pid_;
}

bool Starting::wait(Duration most) {
  pollfd watched{.fd = report_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, static_cast<int>(most / 1ms)) > 0;
}

SpawnFailure Starting::given_up() const {
  return {.stage = SpawnStage::exec,
          .code = ETIMEDOUT,
          .exit_code = 126,
          .message = "cannot execute " + names_.program + ": after " +
                     std::to_string(kStartPatience / 1s) +
                     " s it was still on its way there (somebody stops it, or a file system "
                     "hangs), and was killed",
          .lacked = true};
}

SpawnResult spawn(const SpawnRequest& request) {
  auto begun = begin_spawn(request);
  if (auto* failure = std::get_if<SpawnFailure>(&begun)) {
    return std::move(*failure);
  }
  auto& starting = std::get<Starting>(begun);
  const Instant end = now() + kStartPatience;
  while (!starting.wait(kStartSlice)) {
    (void)send_signal(starting.pid(), signals::cont);
    if (now() >= end) {
      (void)send_signal(starting.pid(), signals::kill);
      return starting.given_up();
    }
  }
  return starting.outcome().value_or(SpawnResult(starting.pid()));
}

StringArray::StringArray(std::vector<std::string> strings) : strings_(std::move(strings)) {
  pointers_.reserve(strings_.size() + 1);
  for (const std::string& string : strings_) {
    pointers_.push_back(string.c_str());
  }
  pointers_.push_back(nullptr);
}

}  // namespace ni::sys
