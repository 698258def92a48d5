#pragma once

// execvp(3) cut in two: what it needs memory for is done before the clone, what is left is
// execve(2) alone. Like execvp it looks a name without a slash up in PATH, goes on past directories
// where it is not or may not be run, and gives a script without a #! line to /bin/sh.

#include <string>
#include <vector>

namespace ni::sys {

class ExecPath {
 public:
  // `argv` and `environment` are borrowed and must outlive this.
  ExecPath(const char* const* argv, const char* const* environment);

  // Replaces the program; comes back only on failure, with errno. Async-signal-safe.
  int execute(const char* const* environment) noexcept;

  // Whether a file of that name is there at all: then ENOENT speaks of its interpreter. A relative
  // name is looked up from `directory_fd`, -1: our working directory.
  bool exists(int directory_fd) const noexcept;

 private:
  const char* candidate(std::size_t i) const noexcept { return text_.c_str() + offsets_[i]; }

  const char* const* argv_;
  std::string text_;                  // the candidates, each ended by NUL
  std::vector<std::size_t> offsets_;  // where each begins in text_
  std::vector<const char*> shell_argv_;
};

}  // namespace ni::sys
