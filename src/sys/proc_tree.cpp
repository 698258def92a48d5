#include "sys/proc_tree.h"

#include <string>

#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {

std::optional<Pid> parent_of(Pid pid) {
  const auto text = read_file("/proc/" + std::to_string(pid.value()) + "/stat");
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  return stat ? Pid::from(stat->parent()) : std::nullopt;
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
