#include "core/container/limits.h"

#include "support/catch.h"

using namespace ni;

namespace {

std::optional<CpuQuota> cpu_max(std::string_view text) {
  auto quota = parse_cpu_max(text);
  REQUIRE(quota);
  return *quota;
}

}  // namespace

TEST_CASE("cpu.max is a quota per period, or no limit") {
  CHECK(cpu_max("150000 100000\n") == CpuQuota{.quota_us = 150'000, .period_us = 100'000});
  CHECK(cpu_max("250000") == CpuQuota{.quota_us = 250'000, .period_us = 100'000});
  CHECK_FALSE(cpu_max("max 100000\n"));
  CHECK_FALSE(cpu_max("max"));
  CHECK_FALSE(cpu_max("-1 100000"));
  CHECK_FALSE(cpu_max("18446744073709551615 100000"));
  CHECK(cpu_max("1000 99999999999999999999").has_value());
  for (const auto* wrong :
       {"", "\n", "12x 100000", "0 100000", "500000 0", "1 2 3", "1.5 1", "x"}) {
    INFO(wrong);
    CHECK_FALSE(parse_cpu_max(wrong));
  }
}

TEST_CASE("a v1 quota below zero is no limit, a missing period the default") {
  CHECK(**parse_cfs("150000\n", "100000\n") == CpuQuota{150'000, 100'000});
  CHECK(**parse_cfs("150000", std::nullopt) == CpuQuota{150'000, 100'000});
  CHECK_FALSE(*parse_cfs("-1\n", "100000\n"));
  CHECK_FALSE(*parse_cfs("-1\n", "nonsense"));
  CHECK_FALSE(parse_cfs("0", "0"));
  CHECK_FALSE(parse_cfs("100", "0"));
  CHECK_FALSE(parse_cfs("100", "x"));
  CHECK_FALSE(parse_cfs("--1", "100000"));
}

TEST_CASE("CPUs are rounded to the nearest thousandth and never to none") {
  CHECK(CpuQuota{149'000, 100'000}.cpus() == MilliCpu{1490});
  CHECK(CpuQuota{49'999, 33'333}.cpus() == MilliCpu{1500});
  CHECK(CpuQuota{1, 1'000'000}.cpus() == MilliCpu{1});
  CHECK(CpuQuota{100'000, 100'000}.tighter_than({200'001, 200'000}));
  CHECK_FALSE(CpuQuota{100'000, 100'000}.tighter_than({200'000, 200'000}));
  CHECK(CpuQuota{UINT64_MAX / 2, UINT64_MAX}.tighter_than({UINT64_MAX, UINT64_MAX}));
}

TEST_CASE("a memory limit is bytes, and no limit in every dialect") {
  CHECK(**parse_memory_limit("536870912\n") == Bytes{512 * kMiB});
  for (const auto* none : {"max\n", "-1", "9223372036854771712", "9223372036854710272",
                           "9223372036854775807", "18446744073709551615", "99999999999999999999"}) {
    INFO(none);
    const auto limit = parse_memory_limit(none);
    REQUIRE(limit);
    CHECK_FALSE(*limit);
  }
  for (const auto* wrong : {"", "lots", "0", "12 MB", "1e9", "+5"}) {
    INFO(wrong);
    CHECK_FALSE(parse_memory_limit(wrong));
  }
}

TEST_CASE("a line of a stat file is found by its whole key") {
  constexpr auto kStat = "cache 1\nhierarchical_memory_limit 1024\nlimit 7\nbad x\nlone\n";
  CHECK(parse_stat(kStat, "limit") == 7U);
  CHECK_FALSE(parse_stat(kStat, "lim"));
  CHECK_FALSE(parse_stat(kStat, "bad"));
  CHECK_FALSE(parse_stat(kStat, "lone"));
  CHECK(parse_hierarchical_limit(kStat) == Bytes{1024});
  CHECK_FALSE(parse_hierarchical_limit("hierarchical_memory_limit 9223372036854771712"));
}

TEST_CASE("CPU lists and masks are counted, each CPU once") {
  CHECK(*parse_cpu_list("0-3,8,10-11\n") == 7);
  CHECK(*parse_cpu_list("0") == 1);
  CHECK(*parse_cpu_list("0-511,768-1279") == 1024);
  CHECK(*parse_cpu_list("3,1-3,0-2") == 4);
  CHECK(*parse_cpu_list("0-7, 9") == 9);
  for (const auto* wrong :
       {"", "\n", "a-b", "3-1", "1,", ",1", "-1", "1-", "0-4294967295", "1 2"}) {
    INFO(wrong);
    CHECK_FALSE(parse_cpu_list(wrong));
  }
  CHECK(*parse_cpu_mask("ffffffff,0000000f\n") == 36);
  CHECK(*parse_cpu_mask("3") == 2);
  CHECK_FALSE(parse_cpu_mask("0"));
  CHECK_FALSE(parse_cpu_mask("xyz"));
  CHECK_FALSE(parse_cpu_mask(""));
}

TEST_CASE("affinity is told by /proc/self/status as a list, else as a mask") {
  CHECK(parse_status_affinity("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2\n") == 3U);
  CHECK(parse_status_affinity("Cpus_allowed:\tff,ffffffff\n") == 40U);
  CHECK_FALSE(parse_status_affinity("Name:\tx\n"));
  CHECK_FALSE(parse_status_affinity(""));
}

TEST_CASE("MemTotal is in KiB") {
  CHECK(parse_mem_total("MemTotal:       16384 kB\nMemFree: 1 kB\n") == Bytes{16 * kMiB});
  CHECK_FALSE(parse_mem_total("MemFree: 1 kB\n"));
  CHECK_FALSE(parse_mem_total("MemTotal: many kB\n"));
}
