#include "sys/descendants.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "sys/fd.h"

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
    kept = add_numbers({buffer.data(), kept + static_cast<std::size_t>(size)}, buffer.data());
  }
}

// Each number is followed by a blank; what comes after the last one is the beginning of a number,
// moved to `unread` for the next read. Its length.
std::size_t Descendants::add_numbers(std::string_view text, char* unread) noexcept {
  for (auto end = text.find(' '); end != std::string_view::npos; end = text.find(' ')) {
    const auto pid = parse_number<int>(text.substr(0, end));
    if (pid && *pid >= 2 && count_ < pids_.size()) {
      pids_[count_++] = *pid;
    }
    text.remove_prefix(end + 1);
  }
  std::memmove(unread, text.data(), text.size());
  return text.size();
}

}  // namespace ni::sys
