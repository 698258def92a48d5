#pragma once

// What stands in the files of /proc/PID, proc(5): text in, values out. A process shapes its own name
// and, below a container of its own, sees what another kernel shows: nothing here trusts the form.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace ni::sys {

// /proc/PID/stat. The name may hold anything, blanks and brackets too; the last ) ends it.
struct ProcStat {
  std::string_view name;  // points into the text
  char state = '?';
  // Field 3, the state, is the first; proc(5) counts so. 0 where there is no number, or no field.
  std::uint64_t field(std::size_t number) const noexcept;
  int parent() const noexcept;  // 0: none here

  static constexpr std::size_t kLeastFields = 22;  // up to rss, field 24; Linux 2.6 has more
  std::array<std::uint64_t, kLeastFields> numbers{};
};
// nullopt: not of this form, or cut off.
std::optional<ProcStat> parse_proc_stat(std::string_view text) noexcept;

// Clock ticks as a time, at most a tenth of what a Duration holds: sums of a few stay within.
Duration from_ticks(std::uint64_t ticks) noexcept;

// Of a line such as "Pss:   1234 kB" in smaps_rollup or status; nullopt: no such line, or no size.
std::optional<Bytes> parse_kilobytes(std::string_view text, std::string_view name) noexcept;

// Whether SIGKILL is pending, in the text of status.
bool is_kill_pending(std::string_view status) noexcept;

// The number in /proc/PID/syscall; nullopt: "running", or it waits outside of a call ("-1 …").
std::optional<long> parse_system_call(std::string_view text) noexcept;

// From /proc/PID/task/PID/children, read in pieces: each number is followed by a blank; those that can
// be a process's are put behind the first `count` of `room` while there is some. `unread`: bytes at the
// end of the text that are the beginning of a number.
struct TakenPids {
  std::size_t count = 0;
  std::size_t unread = 0;
};
TakenPids take_pids(std::string_view text, std::span<int> room, std::size_t count) noexcept;

// Whether a user namespace has that number, by the text of uid_map or gid_map: "first outside count".
bool is_in_id_map(std::string_view text, std::uint32_t id) noexcept;

}  // namespace ni::sys
