#pragma once

// A FileReader over a map: what is not in it does not exist, a folder exists when a file lies below
// it.

#include <cerrno>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/file_reader.h"

namespace ni::test {

class MapFiles final : public FileReader {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;
  MapFiles() = default;
  MapFiles(Map files) : files_(std::move(files)) {}

  void put(std::string path, std::string text) { files_[std::move(path)] = std::move(text); }
  void erase(std::string_view path) {
    if (const auto file = files_.find(path); file != files_.end()) {
      files_.erase(file);
    }
  }
  // The file exists, but reading it fails.
  void refuse(const std::string& path, int code) {
    files_[path];
    refused_[path] = code;
  }

  Result<std::string> read(std::string_view path) const override {
    if (const auto code = refused_.find(path); code != refused_.end()) {
      return Error{"read", std::string(path), code->second, {}};
    }
    const auto file = files_.find(path);
    if (file == files_.end()) {
      return Error{"open", std::string(path), ENOENT, {}};
    }
    return file->second;
  }

  bool is_directory(std::string_view path) const override {
    std::string prefix(path);
    if (!prefix.ends_with('/')) {
      prefix += '/';
    }
    const auto next = files_.lower_bound(prefix);
    return next != files_.end() && next->first.starts_with(prefix);
  }

 private:
  Map files_;
  std::map<std::string, int, std::less<>> refused_;
};

}  // namespace ni::test
