#include "sys/process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <new>
#include <string_view>

#include "base/signal.h"
#include "base/text.h"
#include "sys/exec_path.h"

#if defined(__SANITIZE_ADDRESS__)
#define NI_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NI_SANITIZED 1
#endif
#endif

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

// Where the new process says why it did not get to the program.
struct Report {
  bool failed = false;
  SpawnStage stage = SpawnStage::clone;
  int code = 0;
};

constexpr std::string_view kListenPid = "LISTEN_PID=";

// Everything the new process needs, made before the clone.
struct Preparation {
  const SpawnRequest& request;
  ExecPath& path;
  const char* const* environment;
  char* listen_pid;  // where the digits of LISTEN_PID go, or nullptr
  pid_t parent;
  std::span<int> sources;  // of request.descriptors; the new process changes them
  int above_targets;       // a number above every target of request.descriptors
  Report* report;
};

[[noreturn]] void give_up(const Preparation& prepared, SpawnStage stage, int code) noexcept {
  *prepared.report = Report{.failed = true, .stage = stage, .code = code};
  ::_exit(127);
}

void reset_signal_dispositions() noexcept {
  const KernelSignalAction by_default{};
  for (int signal = 1; signal <= kHighestSignal; ++signal) {
    (void)::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
  }
}

// Two steps, so that no mapping overwrites the source of a later one.
void map_descriptors(const Preparation& prepared) noexcept {
  const auto mappings = prepared.request.descriptors;
  for (int& source : prepared.sources) {
    const bool is_a_target =
        std::any_of(mappings.begin(), mappings.end(),
                    [source](const DescriptorMapping& mapping) { return mapping.to == source; });
    if (is_a_target) {
      source = ::fcntl(source, F_DUPFD_CLOEXEC, prepared.above_targets);
      if (source < 0) {
        give_up(prepared, SpawnStage::descriptors, errno);
      }
    }
  }
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

// System calls by number: glibc's setuid(3) and its like talk to all threads of a process, and in
// the new one, which may share our memory, those would be ours.
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
int run_in_new_process(void* argument) {
  const Preparation& prepared = *static_cast<const Preparation*>(argument);
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

// CLONE_VFORK: we sleep until the program runs or the report is written. CLONE_VM: no page table is
// copied, which is most of the cost of fork(2). Answers the pid or -errno.
pid_t clone_and_exec(Preparation& prepared, bool shares_memory) noexcept {
  alignas(16) std::array<std::byte, 16 * kKiB> stack;
  const int flags = SIGCHLD | CLONE_VFORK | (shares_memory ? CLONE_VM : 0);
  const BlockedSignals blocked;
  const pid_t pid = ::clone(run_in_new_process, stack.data() + stack.size(), flags, &prepared);
  return pid < 0 ? -errno : pid;
}

// A report that a process with its own memory can write to, too.
class SharedReport {
 public:
  SharedReport() noexcept
      : page_(::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0)) {
    if (page_ != MAP_FAILED) {
      new (page_) Report;
    }
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  ~SharedReport() {
    if (page_ != MAP_FAILED) {
      ::munmap(page_, sizeof(Report));
    }
  }
  Report* get() const noexcept {
    return page_ == MAP_FAILED ? nullptr : static_cast<Report*>(page_);
  }

 private:
  void* page_;
};

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

std::string why(const SpawnRequest& request, const Report& report, bool program_exists) {
  const std::string name = printable(request.argv[0] == nullptr ? "" : request.argv[0]);
  const std::string reason = describe(report.code);
  switch (report.stage) {
    case SpawnStage::clone:
      return "cannot start " + name + ": " + reason;
    case SpawnStage::descriptors:
      return "cannot pass descriptors to " + name + ": " + reason;
    case SpawnStage::user:
      return "cannot execute " + name + " as user " + std::to_string(request.user->uid) + ":" +
             std::to_string(request.user->gid) + ": " + reason;
    case SpawnStage::directory:
      return "cannot execute " + name + " in " +
             printable(request.directory == nullptr ? "." : request.directory) + ": " + reason;
    case SpawnStage::parent_gone:
      return "cannot execute " + name + ": its parent is gone";
    case SpawnStage::exec:
      return "cannot execute " + name + ": " +
             (program_exists ? "it is there, but its interpreter or loader is not" : reason);
  }
  return name;
}

SpawnFailure failure(const SpawnRequest& request, const Report& report, const ExecPath& path) {
  const bool not_found = report.stage == SpawnStage::exec && report.code == ENOENT;
  const bool program_exists = not_found && path.exists(request.directory_fd);
  return SpawnFailure{.stage = report.stage,
                      .code = report.code,
                      .exit_code = not_found && !program_exists ? 127 : 126,
                      .message = why(request, report, program_exists),
                      .lacked = is_lack(report.code)};
}

}  // namespace

SpawnResult spawn(const SpawnRequest& request) {
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
  // A process of another user must not share our memory, not even for so short a time.
#ifdef NI_SANITIZED
  const bool shares_memory = false;
#else
  const bool shares_memory = request.user == nullptr;
#endif
  Report own_report;
  std::optional<SharedReport> shared_report;
  if (!shares_memory) {
    shared_report.emplace();
  }
  Preparation prepared{
      .request = request,
      .path = path,
      .environment = environment.empty() ? request.environment : environment.data(),
      .listen_pid = environment.empty() ? nullptr : listen_pid.data() + kListenPid.size(),
      .parent = ::getpid(),
      .sources = sources,
      .above_targets = above_targets,
      .report = shares_memory ? &own_report : shared_report->get()};
  if (prepared.report == nullptr) {
    return failure(request, Report{.failed = true, .stage = SpawnStage::clone, .code = ENOMEM},
                   path);
  }
  const pid_t pid = clone_and_exec(prepared, shares_memory);
  if (pid < 0) {
    return failure(request, Report{.failed = true, .stage = SpawnStage::clone, .code = -pid}, path);
  }
  if (prepared.report->failed) {
    return failure(request, *prepared.report, path);
  }
  return *Pid::from(pid);
}

StringArray::StringArray(std::vector<std::string> strings) : strings_(std::move(strings)) {
  pointers_.reserve(strings_.size() + 1);
  for (const std::string& string : strings_) {
    pointers_.push_back(string.c_str());
  }
  pointers_.push_back(nullptr);
}

}  // namespace ni::sys
