#include "sys/kept_file.h"

#include <unistd.h>

#include <cerrno>

namespace ni::sys {

Result<KeptFile> KeptFile::open(const std::string& path) {
  auto fd = open_read(path);
  if (!fd) {
    return std::move(fd).error();
  }
  return KeptFile(*std::move(fd), path);
}

Result<std::string> KeptFile::read() const {
  std::string text(4096, '\0');
  for (;;) {
    const ssize_t got = ::pread(fd_.get(), text.data(), text.size(), 0);
    if (got >= 0) {
      text.resize(static_cast<std::size_t>(got));
      return text;
    }
    if (errno != EINTR) {
      return Error{.operation = "read", .subject = path_, .code = errno, .reason = {}};
    }
  }
}

}  // namespace ni::sys
