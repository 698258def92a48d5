#include "sys/write_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/fd.h"

namespace ni::sys {

Result<void> write_file(const std::string& path, std::string_view text, IfMissing missing) {
  const int create = missing == IfMissing::create ? O_CREAT : 0;
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | create, 0644));
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

}  // namespace ni::sys
