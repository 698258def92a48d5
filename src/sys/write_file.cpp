#include "sys/write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/fd.h"

namespace ni::sys {
namespace {

UniqueFd open_to_write(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, 0644));
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view text, IfMissing missing) {
  const int create = missing == IfMissing::create ? O_CREAT : 0;
  const UniqueFd file = open_to_write(path, O_TRUNC | create);
  if (!file) {
    return Error{.operation = "open", .subject = path, .code = errno, .reason = {}};
  }
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return Error{.operation = "write", .subject = path, .code = errno, .reason = {}};
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

bool can_write_file(const std::string& path) {
  return static_cast<bool>(open_to_write(path, 0));
}

}  // namespace ni::sys
