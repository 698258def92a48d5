#pragma once

// Starting a process. spawn() comes back when the new program runs, or with the reason why it does
// not: there is no in-between to be waited for.
//
// The new program starts clean, whatever we were given: every signal at its default, an empty mask,
// no descriptor of ours but those named. The rest (umask, limits, environment, working directory)
// it has as we have it.
//
// Needs no descriptor, no /proc, no system call newer than Linux 3.0 and about 20 KiB of stack.

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "base/user_ids.h"
#include "sys/descriptor_limit.h"

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

// A process that did not get to its program has ended by then and comes to reap() as one that
// nobody knows.
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
