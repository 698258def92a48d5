#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace ni::sys {

// The whole of a small text file. Never blocks, not even on a FIFO. Errors: what open(2) and
// read(2) say, EISDIR, EFBIG when it is larger than `limit`.
Result<std::string> read_file(const std::string& path, std::size_t limit = 1U << 20U);

// The first `length` bytes of a file, or all of it where it is shorter. Never blocks.
Result<std::string> read_beginning(const std::string& path, std::size_t length);

// The names of the folders in a folder (also those that a link leads to), sorted, hidden ones left out.
std::vector<std::string> folders_in(const std::string& path);

}  // namespace ni::sys
