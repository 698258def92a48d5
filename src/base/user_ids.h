#pragma once

// Whom a process runs as, in the kernel's numbers.

#include <cstdint>
#include <vector>

namespace ni {

struct UserIds {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary; empty: all are dropped
  bool operator==(const UserIds&) const = default;
};

}  // namespace ni
