#pragma once

// inotify(7) for files whose content changes: one descriptor that becomes readable. It works on
// cgroup's limit files of both versions, also through a cgroup namespace, but not in every emulated
// kernel: a fast path, never the only one.

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace ni::sys {

class FileHints {
 public:
  static Result<FileHints> open();

  int fd() const { return fd_.get(); }
  // From now on a write to this file makes fd() readable.
  Result<void> watch(const std::string& path);
  // Takes what has happened, without waiting; true: something has.
  bool drain();

 private:
  explicit FileHints(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace ni::sys
