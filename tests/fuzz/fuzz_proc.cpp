// Files of /proc/PID, of which a process chooses its name: what is found stands in the text, sums of
// times stay within a Duration, and a list of children is the same in whatever pieces it is read.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/require.h"
#include "sys/proc_text.h"

using namespace ni;

namespace {

void check_stat(std::string_view text) {
  const auto stat = sys::parse_proc_stat(text);
  if (!stat) return;
  FUZZ_REQUIRE(stat->name.size() + 2 <= text.size());
  FUZZ_REQUIRE(stat->name.data() >= text.data() + 1);
  FUZZ_REQUIRE(stat->name.data()[-1] == '(');
  FUZZ_REQUIRE(stat->name.data()[stat->name.size()] == ')');
  FUZZ_REQUIRE(text.find(')', static_cast<std::size_t>(stat->name.data() - text.data()) +
                                  stat->name.size() + 1) == std::string_view::npos);
  FUZZ_REQUIRE(stat->parent() >= 0);
  FUZZ_REQUIRE(stat->field(2) == 0 && stat->field(25) == 0);
  Duration sum{};
  for (std::size_t i = 3; i < 13; ++i) {
    const Duration one = sys::from_ticks(stat->field(i));
    FUZZ_REQUIRE(one >= Duration::zero());
    sum += one;  // a sum of ten does not overflow
  }
  FUZZ_REQUIRE(sum >= Duration::zero());
}

// `step`: the bytes of one read.
std::vector<int> children_in(std::string_view text, std::size_t step) {
  std::array<int, 64> room{};
  std::array<char, 1024> buffer{};
  std::size_t count = 0;
  std::size_t kept = 0;
  while (!text.empty() && kept < buffer.size()) {
    const std::size_t size = std::min({step, text.size(), buffer.size() - kept});
    text.copy(buffer.data() + kept, size);
    text.remove_prefix(size);
    const auto taken = sys::take_pids({buffer.data(), kept + size}, room, count);
    FUZZ_REQUIRE(taken.count >= count && taken.count <= room.size());
    FUZZ_REQUIRE(taken.unread <= kept + size);
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(kept + size - taken.unread),
              buffer.begin() + static_cast<std::ptrdiff_t>(kept + size), buffer.begin());
    kept = taken.unread;
    count = taken.count;
  }
  return {room.begin(), room.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_stat(text);
  for (const std::string_view name : {"Pss:", "VmHWM:"}) {
    const auto bytes = sys::parse_kilobytes(text, name);
    FUZZ_REQUIRE(!bytes || bytes->value % kKiB == 0);
    FUZZ_REQUIRE(!bytes || text.find(std::to_string(bytes->value / kKiB)) != text.npos);
  }
  FUZZ_REQUIRE(!sys::is_kill_pending(text) || text.find("Pnd:") != text.npos);
  const auto number = sys::parse_system_call(text);
  FUZZ_REQUIRE(!number || *number >= 0);
  FUZZ_REQUIRE(sys::is_in_id_map("0 0 1\n" + std::string(text), 0));
  (void)sys::is_in_id_map(text, 1000);
  const std::size_t step = size > 0 ? 1U + data[0] % 16U : 1;
  const auto pids = children_in(text, 1024);
  for (const int pid : pids) FUZZ_REQUIRE(pid >= 2);
  if (text.find_first_not_of("0123456789 ") == text.npos) {
    FUZZ_REQUIRE(children_in(text, step) == pids);
  }
  return 0;
}
