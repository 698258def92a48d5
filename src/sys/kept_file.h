#pragma once

// A small file that is opened once and read again and again from its start: a microsecond each time
// for a file of cgroup.

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace ni::sys {

class KeptFile {
 public:
  static Result<KeptFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  // The first 4 KiB. ENODEV: the group is gone.
  Result<std::string> read() const;

 private:
  KeptFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
};

}  // namespace ni::sys
