#pragma once

// /proc and the limit files on the real system, or below another root: a captured container, a
// test.

#include <string>
#include <string_view>

#include "base/file_reader.h"
#include "core/container/resources.h"

namespace ni::app {

class ContainerFiles final : public FileReader {
 public:
  // `root` empty: the real root.
  explicit ContainerFiles(std::string root = {});

  Result<std::string> read(std::string_view path) const override;
  bool is_directory(std::string_view path) const override;
  std::string full_path(std::string_view path) const;

 private:
  std::string root_;
};

// Below another root the affinity of this process means nothing: /proc/self/status there tells it.
Resources resources_below(const std::string& root);

}  // namespace ni::app
