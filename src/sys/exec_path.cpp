#include "sys/exec_path.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace ni::sys {
namespace {

// What container engines set when an image has no PATH.
constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kShell = "/bin/sh";

std::string_view search_path(const char* const* environment) {
  constexpr std::string_view kPath = "PATH=";
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (entry.starts_with(kPath)) {
      return entry.substr(kPath.size());
    }
  }
  return kDefaultPath;
}

// execve(2) takes arrays of char* for historical reasons; it does not write to them.
int call_execve(const char* path, const char* const* argv,
                const char* const* environment) noexcept {
  ::execve(path, const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  return errno;
}

// ENOEXEC says "unknown format". A shell would make a mess of a program for another machine, and
// success of an empty file; so only what looks like text is given to it (bash looks for a NUL in
// the first line likewise).
bool looks_like_script(const char* path) noexcept {
  std::array<char, 128> head;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const ssize_t size = ::read(fd, head.data(), head.size());
  ::close(fd);
  return size > 0 && std::find(head.begin(), head.begin() + size, '\0') == head.begin() + size;
}

// execvp(3): these mean "not in this directory", everything else ends the search.
bool goes_on_after(int error) noexcept {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE ||
         error == ENODEV || error == ETIMEDOUT || error == ENAMETOOLONG;
}

}  // namespace

ExecPath::ExecPath(const char* const* argv, const char* const* environment) : argv_(argv) {
  const std::string_view name = argv[0] == nullptr ? std::string_view() : argv[0];
  if (name.empty() || name.find('/') != std::string_view::npos) {
    offsets_.push_back(0);
    text_ = name;
  } else {
    std::string_view rest = search_path(environment);
    for (bool more = true; more;) {
      const std::size_t end = rest.find(':');
      const std::string_view directory = rest.substr(0, end);
      offsets_.push_back(text_.size());
      text_ += directory;
      if (!directory.empty()) {  // an empty one is the working directory
        text_ += '/';
      }
      text_ += name;
      text_ += '\0';
      more = end != std::string_view::npos;
      rest.remove_prefix(more ? end + 1 : rest.size());
    }
  }
  shell_argv_ = {kShell, nullptr};  // the script's path goes here
  for (const char* const* argument = argv + (argv[0] == nullptr ? 0 : 1); *argument != nullptr;
       ++argument) {
    shell_argv_.push_back(*argument);
  }
  shell_argv_.push_back(nullptr);
}

int ExecPath::execute(const char* const* environment) noexcept {
  bool denied = false;
  int error = ENOENT;
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    error = call_execve(candidate(i), argv_, environment);
    if (error == ENOEXEC && looks_like_script(candidate(i))) {
      shell_argv_[1] = candidate(i);
      (void)call_execve(kShell, shell_argv_.data(), environment);  // no shell: ENOEXEC says more
    }
    if (!goes_on_after(error)) {
      return error;
    }
    denied = denied || error == EACCES;
  }
  if (denied) {
    return EACCES;
  }
  return offsets_.size() == 1 ? error : ENOENT;
}

bool ExecPath::exists(int directory_fd) const noexcept {
  const int from = directory_fd < 0 ? AT_FDCWD : directory_fd;
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    if (::faccessat(from, candidate(i), F_OK, 0) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace ni::sys
