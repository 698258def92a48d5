#include "sys/descendants.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "sys/fd.h"
#include "sys/proc_text.h"

namespace ni::sys {

Descendants::Descendants(Pid of, Depth depth) noexcept {  // NOLINT: pids_ beyond count_ is not read
  known_ = add_children_of(of.value());
  for (std::size_t i = 0; depth == Depth::all && i < count_; ++i) {
    (void)add_children_of(pids_[i]);  // it may be gone already
  }
}

bool Descendants::add_children_of(int pid) noexcept {
  std::array<char, 64> path;
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/task/%d/children", pid, pid);
  const UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return false;
  }
  std::array<char, 1024> buffer;
  std::size_t kept = 0;
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.data() + kept, buffer.size() - kept);
    if (size <= 0) {
      return true;
    }
    const std::size_t filled = kept + static_cast<std::size_t>(size);
    const TakenPids taken = take_pids({buffer.data(), filled}, pids_, count_);
    count_ = taken.count;
    kept = taken.unread;
    std::memmove(buffer.data(), buffer.data() + filled - kept, kept);
  }
}

}  // namespace ni::sys
