#pragma once

// Files of the configuration, on the real system: as FileReader (core/file_reader.h) without
// another root.

#include <sys/stat.h>

#include "core/file_reader.h"
#include "sys/read_file.h"

namespace ni::app {

class ConfigFiles final : public FileReader {
 public:
  Result<std::string> read(std::string_view path) const override {
    return sys::read_file(std::string(path));
  }
  bool is_directory(std::string_view path) const override {
    struct ::stat status {};
    return ::stat(std::string(path).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  }
};

}  // namespace ni::app
