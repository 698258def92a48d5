#pragma once

// Files at the start, or for `nodeinit ctl import-pm2`: those of JavaScript are given as the JSON
// that node makes of what they export. Waits for node, so it must not be used once the loop runs.

#include <string>
#include <string_view>

#include "app/invocation/config_files.h"

namespace ni::app {

class EvaluatingFiles final : public FileReader {
 public:
  // Errors: as ConfigFiles; node is missing, fails, says nothing in 30 s, or more than 1 MiB.
  Result<std::string> read(std::string_view path) const override;
  bool is_directory(std::string_view path) const override {
    return ConfigFiles().is_directory(path);
  }
};

}  // namespace ni::app
