#pragma once

// Files of the configuration, on the real system: as FileReader (base/file_reader.h) without
// another root.

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/file_reader.h"
#include "sys/read_file.h"

namespace ni::app {

class ConfigFiles final : public FileReader {
 public:
  ConfigFiles() = default;
  // One file has this text, whatever the disk says (Invocation::evaluated_path).
  ConfigFiles(std::string path, std::string text)
      : known_path_(std::move(path)), known_text_(std::move(text)) {}

  Result<std::string> read(std::string_view path) const override {
    if (!known_path_.empty() && path == known_path_) {
      return known_text_;
    }
    auto text = sys::read_file(std::string(path));
    struct ::stat status {};
    // No descriptor to spare is not what is to be said of a file that is not there.
    if (!text && text.error().code == EMFILE && ::stat(std::string(path).c_str(), &status) != 0) {
      return Error{.operation = text.error().operation,
                   .subject = text.error().subject,
                   .code = errno,
                   .reason = {}};
    }
    return text;
  }
  bool is_directory(std::string_view path) const override {
    struct ::stat status {};
    return ::stat(std::string(path).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  }
  Result<std::string> read_program(std::string_view path) const override {
    const std::string name(path);
    struct ::stat status {};
    if (::stat(name.c_str(), &status) != 0 || ::access(name.c_str(), X_OK) != 0) {
      return Error{.operation = "execute", .subject = name, .code = errno, .reason = {}};
    }
    if (!S_ISREG(status.st_mode)) {
      return Error{.operation = "execute", .subject = name, .code = EACCES, .reason = {}};
    }
    return sys::read_beginning(name, kProgramBeginning);
  }
  std::vector<std::string> folders_in(std::string_view path) const override {
    return sys::folders_in(std::string(path));
  }

 private:
  static constexpr std::size_t kProgramBeginning = std::size_t{16} * 1024;

  std::string known_path_;
  std::string known_text_;
};

}  // namespace ni::app
