#pragma once

// The seam through which the pure core reads small text files of /proc and /sys. sys/read_file.h
// implements it on the real system (optionally below another root), tests by a map.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ni {

class FileReader {
 public:
  FileReader() = default;
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  virtual ~FileReader() = default;

  // The whole file, at most 1 MiB of it. Errors: ENOENT, EACCES, … as open(2) and read(2) gave
  // them; EFBIG.
  virtual Result<std::string> read(std::string_view path) const = 0;

  virtual bool is_directory(std::string_view path) const = 0;
};

}  // namespace ni
