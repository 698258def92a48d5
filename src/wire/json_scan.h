#pragma once

// Is this text one JSON object? Looks without building anything, at the speed of the log path,
// where a document tree per line would cost more than all the rest. Strict RFC 8259 and valid
// UTF-8.

#include <cstdint>
#include <span>
#include <string_view>

namespace ni::wire {

inline constexpr unsigned kDeepestScan =
    64;  // objects and arrays inside each other; deeper is "no"

struct ObjectScan {
  bool is_object = false;
  bool empty = false;       // {}
  std::uint32_t known = 0;  // bit i: the object itself (not one inside) has a member named keys[i]
  std::size_t close = 0;    // where its '}' stands; only blanks follow
};

// keys: at most 32, compared with names as they are written (a name with escapes is never equal).
ObjectScan scan_json_object(std::string_view text, std::span<const std::string_view> keys);

}  // namespace ni::wire
