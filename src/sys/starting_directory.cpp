#include "sys/starting_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "sys/fd.h"

namespace ni::sys {
namespace {

bool is_same_directory(int fd) noexcept {
  struct stat there {};
  struct stat here {};
  return ::fstat(fd, &there) == 0 && ::stat(".", &here) == 0 && there.st_dev == here.st_dev &&
         there.st_ino == here.st_ino;
}

}  // namespace

StartingDirectory::Visit::~Visit() {
  if (away_) {
    (void)!::chdir("/");  // nothing depends on it
  }
}

StartingDirectory StartingDirectory::leave(const std::string& claimed) {
  StartingDirectory start;
  std::array<char, PATH_MAX> name{};
  const UniqueFd before(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  // getcwd(3): a name that does not begin with / is not reachable from here.
  if (!before || ::getcwd(name.data(), name.size()) == nullptr || name.front() != '/' ||
      ::chdir(name.data()) != 0) {
    return start;
  }
  if (!is_same_directory(before.get())) {
    (void)!::fchdir(before.get());  // we were there a moment ago
    return start;
  }
  if (::chdir("/") == 0) {
    start.path_ = name.data();
    start.name_ = start.path_;
    if (claimed.starts_with('/') && real_path(claimed) == start.path_) {
      start.name_ = claimed;
    }
  }
  return start;
}

void StartingDirectory::follow_name() {
  if (path_.empty()) {
    return;
  }
  const auto now = real_path(name_);
  struct stat status {};
  if (now && ::stat(now->c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    path_ = *now;
  }
}

std::optional<std::string> real_path(const std::string& path) {
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(path.c_str(), resolved.data()) == nullptr) {
    return std::nullopt;
  }
  return resolved.data();
}

Result<StartingDirectory::Visit> StartingDirectory::visit() const {
  if (!path_.empty() && ::chdir(path_.c_str()) != 0 && ::chdir(name_.c_str()) != 0) {
    return Error{.operation = "enter", .subject = path_, .code = errno, .reason = {}};
  }
  return Visit(!path_.empty());
}

}  // namespace ni::sys
