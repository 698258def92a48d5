#include "sys/usage.h"

#include <unistd.h>

#include "base/text.h"
#include "sys/read_file.h"

namespace ni::sys {

std::optional<Usage> usage_of(Pid pid) {
  const auto text = read_file("/proc/" + std::to_string(pid.value()) + "/stat");
  if (!text) {
    return std::nullopt;
  }
  // proc(5): "pid (comm) state ppid …"; comm may hold blanks and brackets, the last ) ends it.
  const auto comm_end = text->rfind(')');
  if (comm_end == std::string::npos) {
    return std::nullopt;
  }
  const auto fields = split_words(std::string_view(*text).substr(comm_end + 1));
  // Counted from the state, field 3: utime is 14, stime 15, rss 24 (in pages).
  if (fields.size() < 22) {
    return std::nullopt;
  }
  const auto number = [&](std::size_t field) {
    return parse_number<std::uint64_t>(fields[field - 3]).value_or(0);
  };
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t spent = number(14) + number(15);
  return Usage{.cpu_time = std::chrono::milliseconds(spent * 1000 / (ticks == 0 ? 100 : ticks)),
               .resident = Bytes{number(24) * page}};
}

}  // namespace ni::sys
