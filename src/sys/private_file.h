#pragma once

// A small read-only file for processes of any user, in a directory of its own in memory: the module
// inside (src/inside/inside.cjs), which node must be able to require by a path.
//
// /dev/shm is shared by the containers of a pod and outlives a restart, so: a random name that
// nobody else has made (O_EXCL), the directory 0755 and the file 0444, both ours, and a look at both
// by descriptor before each use, since the directory they stand in may be anybody's. The directory
// is held locked (flock(2)) as long as we live; directories of the dead, whose lock can be had, are
// swept away.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace ni::sys {

class PrivateFile {
 public:
  // Makes `name` with `text` in the first of `folders` that takes it. `salt` makes the directory's
  // name unlikely to be guessed. Error: of the last folder.
  static Result<PrivateFile> make(std::span<const std::string_view> folders, std::string_view name,
                                  std::string_view text, std::uint64_t salt);
  PrivateFile(PrivateFile&&) noexcept = default;
  PrivateFile& operator=(PrivateFile&& other) noexcept;
  PrivateFile(const PrivateFile&) = delete;
  PrivateFile& operator=(const PrivateFile&) = delete;
  ~PrivateFile();  // file and directory are removed

  const std::string& path() const { return path_; }
  // The path still leads to what we have made: same inode, ours, as long as it was.
  bool is_intact() const;

 private:
  PrivateFile() = default;
  void remove() noexcept;

  UniqueFd folder_;     // what the directory stands in
  UniqueFd directory_;  // ours, locked
  UniqueFd file_;
  std::string directory_name_;
  std::string name_;
  std::string path_;
};

}  // namespace ni::sys
