#include "sys/proc_tree.h"

#include <string>

#include "base/text.h"
#include "sys/read_file.h"

namespace ni::sys {

std::optional<Pid> parent_of(Pid pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid.value()) + "/stat");
  if (!stat) {
    return std::nullopt;
  }
  // pid (name) state ppid …; the name may hold blanks and brackets.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  const auto fields = split_words(std::string_view(*stat).substr(name_end + 1));
  const auto parent = fields.size() > 1 ? parse_number<int>(fields[1]) : std::nullopt;
  return parent ? Pid::from(*parent) : std::nullopt;
}

bool is_within(Pid pid, Pid ancestor) {
  constexpr int kDeepest = 64;
  std::optional<Pid> at = pid;
  for (int depth = 0; at && depth < kDeepest; ++depth) {
    if (*at == ancestor) {
      return true;
    }
    at = parent_of(*at);
  }
  return false;
}

}  // namespace ni::sys
