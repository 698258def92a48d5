#pragma once

// Starting a process. begin_spawn() comes back at once and never waits for the new process:
// between clone and exec that one may be stopped by anybody of its user, or stand in a file system
// that hangs. What became of it is told by a pipe: closed, the program runs (or the process was
// killed on its way); a report in it says why it does not.
//
// The new program starts clean, whatever we were given: every signal at its default, an empty mask,
// no descriptor of ours but those named. The rest (umask, limits, environment, working directory)
// it has as we have it.
//
// Needs two descriptors for a moment, no /proc and no system call newer than Linux 3.0.

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/types.h"
#include "base/user_ids.h"
#include "sys/descriptor_limit.h"
#include "sys/fd.h"

namespace ni::sys {

// `from` is ours and stays ours; the new program has it as `to`.
struct DescriptorMapping {
  int from;
  int to;
};

// A parameter of spawn(): everything in it is borrowed for that call.
struct SpawnRequest {
  const char* const* argv;  // ends with nullptr; argv[0] is looked up in PATH of `environment`
  const char* const* environment;                       // ends with nullptr
  int directory_fd = -1;                                // the working directory; -1: ours
  const char* directory = nullptr;                      // from there; nullptr: there
  std::span<const DescriptorMapping> descriptors = {};  // besides what is inheritable anyway
  const UserIds* user = nullptr;                        // nullptr: ours
  bool own_group = true;                                // leads a process group of its own
  int foreground_of = -1;                 // a terminal to be put into the foreground of
  bool dies_with_us = true;               // SIGKILL when we end (PR_SET_PDEATHSIG)
  std::optional<int> oom_score_adj = {};  // best effort
  bool takes_listen_pid = false;          // LISTEN_PID naming us shall name it (sd_listen_fds(3))
  std::optional<DescriptorLimit> descriptor_limit = {};  // nullopt: ours
};

enum class SpawnStage : std::uint8_t { clone, descriptors, user, directory, parent_gone, exec };

struct SpawnFailure {
  SpawnStage stage = SpawnStage::clone;
  int code = 0;         // errno
  int exit_code = 126;  // as shells say it: 127 not found, 126 anything else
  std::string message;  // "cannot execute node: No such file or directory"
  bool lacked = false;  // something that may come back: processes, memory, descriptors
};

using SpawnResult = std::variant<Pid, SpawnFailure>;

// One that has not got to its program by then is killed. Continued it is before, every so often.
inline constexpr Duration kStartPatience = 5s;
inline constexpr Duration kStartSlice = 20ms;

// What the new process writes.
struct SpawnReport {
  SpawnStage stage = SpawnStage::clone;
  int code = 0;
  bool program_exists = false;  // ENOENT: it is its interpreter that is missing
};

// What a failure's message is made of.
struct SpawnNames {
  std::string program;
  std::string directory;
  std::string user;
};

// A process on its way to its program.
class Starting {
 public:
  Starting(Pid pid, UniqueFd report, SpawnNames names)
      : pid_(pid), report_(std::move(report)), names_(std::move(names)) {}

  Pid pid() const { return pid_; }
  // Becomes readable when it is decided.
  int fd() const { return report_.get(); }
  // Never waits; nullopt: not decided yet. Always decided once the process has ended.
  std::optional<SpawnResult> outcome();
  // Blocks: whether it was decided within `most`. Not for a loop.
  bool wait(Duration most);
  // What is to be said when kStartPatience was over.
  SpawnFailure given_up() const;

 private:
  Pid pid_;
  UniqueFd report_;
  SpawnNames names_;
};

// A process that did not get to its program comes to reap() as one that nobody knows.
std::variant<Starting, SpawnFailure> begin_spawn(const SpawnRequest& request);

// The same, and waits until it is decided, at most kStartPatience: where nothing else runs yet.
SpawnResult spawn(const SpawnRequest& request);

// Strings as execve(2) wants them: an array of pointers that ends with nullptr.
class StringArray {
 public:
  explicit StringArray(std::vector<std::string> strings);
  StringArray(const StringArray&) = delete;
  StringArray& operator=(const StringArray&) = delete;

  const char* const* get() const noexcept { return pointers_.data(); }

 private:
  std::vector<std::string> strings_;
  std::vector<const char*> pointers_;
};

}  // namespace ni::sys
