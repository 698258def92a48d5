#include "sys/file_hints.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace ni::sys {

Result<FileHints> FileHints::open() {
  UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) {
    return Error{.operation = "open", .subject = "inotify", .code = errno, .reason = {}};
  }
  return FileHints(std::move(fd));
}

Result<void> FileHints::watch(const std::string& path) {
  if (::inotify_add_watch(fd_.get(), path.c_str(), IN_MODIFY) < 0) {
    return Error{.operation = "watch", .subject = path, .code = errno, .reason = {}};
  }
  return {};
}

bool FileHints::drain() {
  alignas(inotify_event) std::array<char, 4096> events;
  bool any = false;
  // The kernel merges equal events and bounds its queue; the loop is bounded all the same.
  for (int i = 0; i < 16; ++i) {
    if (::read(fd_.get(), events.data(), events.size()) <= 0) {
      break;
    }
    any = true;
  }
  return any;
}

}  // namespace ni::sys
