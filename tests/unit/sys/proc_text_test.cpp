#include "sys/proc_text.h"

#include <array>
#include <string>

#include "support/catch.h"

using namespace ni;

TEST_CASE("a process is told by the last bracket of its line, whatever its name") {
  const std::string line =
      "17 (a) Z 1 (b) S 12 15 15 34816 15 4194308 2034 0 3 0 150 20 7 9 20 0 11 0 123456 "
      "1073741824 "
      "12000 18446744073709551615\n";
  const auto stat = sys::parse_proc_stat(line);
  REQUIRE(stat);
  CHECK(stat->name == "a) Z 1 (b");
  CHECK(stat->state == 'S');
  CHECK(stat->parent() == 12);
  CHECK(stat->field(5) == 15);
  CHECK(stat->field(9) == 4194308);
  CHECK(stat->field(14) == 150);
  CHECK(stat->field(15) == 20);
  CHECK(stat->field(20) == 11);
  CHECK(stat->field(22) == 123456);
  CHECK(stat->field(24) == 12000);
  CHECK(stat->field(25) == 0);
  CHECK(stat->field(1) == 0);
}

TEST_CASE("what is no line of a process, or torn, is none") {
  for (const char* const text :
       {"", "17", "17 (a", ")(", "17 (a) S", "17 (a) S 1 2 3 4 5 6 7 8 9"}) {
    CHECK_FALSE(sys::parse_proc_stat(text));
  }
}

TEST_CASE("times and sizes that no kernel tells do not overflow") {
  CHECK(sys::from_ticks(0) == 0s);
  CHECK(sys::from_ticks(150) > 0s);
  CHECK(sys::from_ticks(~0ULL) > 24h);
  CHECK(sys::from_ticks(~0ULL) + sys::from_ticks(~0ULL) > 24h);
  CHECK(sys::parse_kilobytes("Rss: 9 kB\nPss:   40312 kB\n", "Pss:") == Bytes{40312 * kKiB});
  CHECK_FALSE(sys::parse_kilobytes("Pss: 18446744073709551615 kB\n", "Pss:"));
  CHECK_FALSE(sys::parse_kilobytes("Pss:\nkB\n", "Pss:"));
}

TEST_CASE("a pending SIGKILL is seen, the process's and the thread's") {
  CHECK(sys::is_kill_pending("SigPnd:\t0000000000000100\n"));
  CHECK(sys::is_kill_pending("State:\tS\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\n"));
  CHECK_FALSE(sys::is_kill_pending("SigPnd:\t0000000000000200\nShdPnd:\t0000000000004000\n"));
  CHECK_FALSE(sys::is_kill_pending(""));
}

TEST_CASE("a system call has a number, or there is none") {
  CHECK(sys::parse_system_call("281 0xd 0x7ffd\n") == 281);
  CHECK_FALSE(sys::parse_system_call("-1 0x7ffd 0x7f12\n"));
  CHECK_FALSE(sys::parse_system_call("running\n"));
  CHECK_FALSE(sys::parse_system_call(""));
}

TEST_CASE("children are taken while there is room; the beginning of a number waits") {
  std::array<int, 3> room{};
  auto taken = sys::take_pids("18 1 -5 x 19 20", room, 0);
  CHECK(taken.count == 2);
  CHECK(taken.unread == 2);
  taken = sys::take_pids("2021 22 23 ", room, taken.count);
  CHECK(taken.count == 3);
  CHECK(taken.unread == 0);
  CHECK(room == std::array{18, 19, 2021});
}

TEST_CASE("a user namespace has the numbers that its map tells") {
  const char* const map = "         0     100000      65536\n     70000          0          1\n";
  CHECK(sys::is_in_id_map(map, 0));
  CHECK(sys::is_in_id_map(map, 65535));
  CHECK_FALSE(sys::is_in_id_map(map, 65536));
  CHECK(sys::is_in_id_map(map, 70000));
  CHECK_FALSE(sys::is_in_id_map(map, 70001));
  CHECK(sys::is_in_id_map("0 0 4294967295", 4294967294));
  CHECK_FALSE(sys::is_in_id_map("0 0", 0));
}
