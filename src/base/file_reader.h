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

  // The beginning of a file that may be executed: enough of it to tell what runs it, or what a short script says.
  // Errors as read() has them; EACCES, too, where it may not be executed.
  virtual Result<std::string> read_program(std::string_view path) const { return read(path); }

  // The names of the folders in a folder, sorted; none when it cannot be read.
  virtual std::vector<std::string> folders_in(std::string_view /*path*/) const { return {}; }
};

}  // namespace ni
