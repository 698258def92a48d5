#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace ni::sys {

// The whole of a small text file. Never blocks, not even on a FIFO. Errors: what open(2) and
// read(2) say, EISDIR, EFBIG when it is larger than `limit`.
Result<std::string> read_file(const std::string& path, std::size_t limit = 1U << 20U);

}  // namespace ni::sys
