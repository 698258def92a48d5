#include "sys/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace ni::sys
