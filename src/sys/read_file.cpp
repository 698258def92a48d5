#include "sys/read_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace ni::sys {
namespace {

Result<std::string> read_all(int fd, const std::string& path, std::size_t limit) {
  std::string text;
  for (;;) {
    constexpr std::size_t kStep = 16 * 1024;
    const std::size_t filled = text.size();
    if (filled > limit) {
      return Error{.operation = "read", .subject = path, .code = EFBIG, .reason = {}};
    }
    text.resize(filled + kStep);
    const ssize_t got = ::read(fd, text.data() + filled, kStep);
    text.resize(filled + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) {
      return text;
    }
    if (got < 0 && errno != EINTR) {
      return Error{.operation = "read", .subject = path, .code = errno, .reason = {}};
    }
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    return Error{.operation = "open", .subject = path, .code = errno, .reason = {}};
  }
  auto text = read_all(fd, path, limit);
  (void)::close(fd);  // nothing was written: there is no error to learn
  return text;
}

Result<std::string> read_beginning(const std::string& path, std::size_t length) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    return Error{.operation = "open", .subject = path, .code = errno, .reason = {}};
  }
  std::string text(length, '\0');
  const ssize_t got = ::pread(fd, text.data(), length, 0);
  const int error = errno;
  (void)::close(fd);  // nothing was written: there is no error to learn
  if (got < 0) {
    return Error{.operation = "read", .subject = path, .code = error, .reason = {}};
  }
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
    const std::string name = entry->d_name;
    std::string inside = path + "/";
    inside += name;
    struct ::stat status {};
    if (!name.starts_with('.') && ::stat(inside.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
      names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace ni::sys
