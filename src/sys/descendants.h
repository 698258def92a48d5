#pragma once

// Who is below a process, as /proc/<pid>/task/<pid>/children tells (proc(5)). Threads other than
// the first may have started processes too; those are found once their parent is gone and they are
// somebody else's children.

#include <array>
#include <cstddef>

#include "base/types.h"

namespace ni::sys {

class Descendants {
 public:
  // At most so many are found: a sweep over all of them is repeated until nobody is left, and those
  // killed make room for the rest.
  static constexpr std::size_t kMost = 1024;
  enum class Depth { children, all };

  // Allocates nothing: memory may be short. Error: is_known() is false.
  explicit Descendants(Pid of, Depth depth = Depth::all) noexcept;

  // False: the kernel does not tell (no /proc, the process is gone, CONFIG_PROC_CHILDREN is unset).
  bool is_known() const noexcept { return known_; }
  const int* begin() const noexcept { return pids_.data(); }
  const int* end() const noexcept { return pids_.data() + count_; }

 private:
  bool add_children_of(int pid) noexcept;

  std::array<int, kMost> pids_;  // the first count_
  std::size_t count_ = 0;
  bool known_ = false;
};

}  // namespace ni::sys
