#pragma once

// The counterpart of read_file.h, for what nodeinit is asked to write.

#include <string>
#include <string_view>

#include "base/result.h"

namespace ni::sys {

enum class IfMissing : unsigned char { create, fail };

// Replaces what stands in the file. Never waits: a FIFO without a reader is an error (ENXIO). A
// file that is created is readable by everybody, as the umask allows.
Result<void> write_file(const std::string& path, std::string_view text, IfMissing missing);

// Whether write_file() would open it now, were it not to be created. Changes nothing.
bool can_write_file(const std::string& path);

}  // namespace ni::sys
