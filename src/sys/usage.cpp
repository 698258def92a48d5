#include "sys/usage.h"

#include <unistd.h>

#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {

std::optional<Usage> usage_of(Pid pid) {
  const auto text = read_file("/proc/" + std::to_string(pid.value()) + "/stat");
  if (!text) {
    return std::nullopt;
  }
  const auto stat = parse_proc_stat(*text);
  if (!stat) {
    return std::nullopt;
  }
  // proc(5): utime is field 14, stime 15, rss 24 (in pages).
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return Usage{.cpu_time = from_ticks(stat->field(14)) + from_ticks(stat->field(15)),
               .resident = Bytes{stat->field(24) * page}};
}

}  // namespace ni::sys
