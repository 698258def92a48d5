#include "core/container/usage.h"

#include "core/deaths/oom.h"
#include "support/catch.h"
#include "support/map_files.h"

using namespace ni;

namespace {

constexpr auto kEvents = "low 0\nhigh 1\nmax 2\noom 4\noom_kill 3\noom_group_kill 0\n";
constexpr auto kPressure =
    "some avg10=12.05 avg60=0.00 avg300=0.00 total=99\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";

using Events = std::vector<std::pair<std::string, std::uint64_t>>;

}  // namespace

TEST_CASE("usage is read at the level that binds, for each resource its own") {
  test::MapFiles files;
  files.put("/proc/self/cgroup", "0::/p/c\n");
  files.put("/proc/self/mountinfo", "32 31 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  files.put("/sys/fs/cgroup/p/c/cpu.max", "max 100000\n");
  files.put("/sys/fs/cgroup/p/c/cpu.stat", "usage_usec 1\nnr_periods 1\n");
  files.put("/sys/fs/cgroup/p/c/cpu.pressure", "some avg10=0 avg60=0 avg300=0 total=1\n");
  files.put("/sys/fs/cgroup/p/cpu.max", "100000 100000\n");
  files.put("/sys/fs/cgroup/p/cpu.stat",
            "usage_usec 77\nnr_periods 10\nnr_throttled 4\nthrottled_usec 1234\n");
  files.put("/sys/fs/cgroup/p/cpu.pressure", kPressure);
  files.put("/sys/fs/cgroup/p/c/memory.max", "1000000\n");
  files.put("/sys/fs/cgroup/p/c/memory.current", "4096\n");
  files.put("/sys/fs/cgroup/p/c/memory.events", kEvents);
  files.put("/sys/fs/cgroup/p/c/memory.pressure", "some avg10=0 avg60=0 avg300=0 total=5\n");
  files.put("/sys/fs/cgroup/p/memory.max", "max\n");
  files.put("/sys/fs/cgroup/p/memory.current", "8192\n");
  const Resources resources = read_resources(files, {});
  CHECK(oom_counter_path(resources) == "/sys/fs/cgroup/p/c/memory.events");
  const ContainerUsage usage = read_usage(files, resources);
  CHECK(usage.cpu == 77us);
  CHECK(usage.periods == 10U);
  CHECK(usage.throttled_periods == 4U);
  CHECK(usage.throttled == 1234us);
  CHECK(usage.memory == Bytes{4096});
  CHECK_FALSE(usage.memory_peak);
  CHECK(usage.memory_events ==
        Events{{"low", 0}, {"high", 1}, {"max", 2}, {"oom", 4}, {"oom_kill", 3}});
  REQUIRE(usage.pressure.size() == 2);
  CHECK(usage.pressure[0].resource == "cpu");
  CHECK(usage.pressure[0].some == 99us);
  CHECK(usage.pressure[0].full == 7us);
  CHECK(usage.pressure[1].resource == "memory");
  CHECK(usage.pressure[1].some == 5us);
  CHECK_FALSE(usage.pressure[1].full);
}

TEST_CASE("v1 tells the same by other names, and pressure is in the v2 tree beside it") {
  test::MapFiles files;
  files.put("/proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/c\n0::/u\n");
  files.put("/proc/self/mountinfo",
            "40 31 0:30 / /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
            "41 31 0:31 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
            "42 31 0:32 / /sys/fs/cgroup/unified ro - cgroup2 cgroup rw\n");
  const std::string cpu = "/sys/fs/cgroup/cpu,cpuacct/c/";
  const std::string memory = "/sys/fs/cgroup/memory/m/";
  files.put(cpu + "cpu.cfs_quota_us", "100000\n");
  files.put(cpu + "cpu.cfs_period_us", "100000\n");
  files.put(cpu + "cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 3000\n");
  files.put(cpu + "cpuacct.usage", "9000\n");
  files.put(memory + "memory.limit_in_bytes", "1048576\n");
  files.put(memory + "memory.usage_in_bytes", "4096\n");
  files.put(memory + "memory.max_usage_in_bytes", "8192\n");
  files.put(memory + "memory.failcnt", "6\n");
  files.put(memory + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  files.put("/sys/fs/cgroup/unified/u/memory.pressure", kPressure);
  // The root of that tree is the whole machine.
  CHECK(read_usage(files, read_resources(files, {})).pressure.empty());
  files.put("/sys/fs/cgroup/unified/u/cgroup.type", "domain\n");
  const ContainerUsage usage = read_usage(files, read_resources(files, {}));
  CHECK(usage.throttled == 3us);
  CHECK(usage.cpu == 9us);
  CHECK(usage.memory == Bytes{4096});
  CHECK(usage.memory_peak == Bytes{8192});
  CHECK(usage.memory_events == Events{{"max", 6}, {"oom_kill", 1}});
  REQUIRE(usage.pressure.size() == 1);
  CHECK(usage.pressure[0].resource == "memory");
}

TEST_CASE("what is missing or garbage gives no figure") {
  const test::MapFiles nothing;
  const ContainerUsage none = read_usage(nothing, read_resources(nothing, {}));
  CHECK_FALSE(none.cpu);
  CHECK_FALSE(none.memory);
  CHECK(none.memory_events.empty());
  CHECK(none.pressure.empty());
  CHECK_FALSE(parse_pressure("some avg10=x total=y\nfull\n\nelse total=1\n").some);
  CHECK_FALSE(parse_pressure("some avg10=0 total=18446744073709551615\n").some);
}
