#include "core/oom.h"

#include "core/usage.h"
#include "support/catch.h"
#include "support/map_files.h"

using namespace ni;

namespace {

const ExitStatus kKilled = ExitStatus::killed_by(signals::kill);

Resources limited() {
  Resources resources;
  resources.memory_limit = {Bytes{512 * kMiB}, "/sys/fs/cgroup/memory.max"};
  return resources;
}

Plan sized() {
  Plan plan;
  plan.memory_per_worker = Bytes{240 * kMiB};
  plan.heap = HeapSize{194, 2};
  return plan;
}

bool says(const MemoryVerdict& verdict, std::string_view what) {
  return verdict.message.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("each kill that the kernel has counted explains one death by SIGKILL") {
  OomLedger ledger(5);
  CHECK_FALSE(ledger.claim(kKilled, 5));
  CHECK_FALSE(ledger.claim(ExitStatus::exited(1), 7));
  CHECK(ledger.claim(kKilled, 7));
  CHECK(ledger.claim(kKilled, 7));
  CHECK_FALSE(ledger.claim(kKilled, 7));
  CHECK_FALSE(ledger.claim(kKilled, 1));
  CHECK(ledger.claim(kKilled, 2));
  CHECK_FALSE(ledger.claim(kKilled, std::nullopt));
  CHECK_FALSE(OomLedger(std::nullopt).claim(kKilled, 9));
}

TEST_CASE("the counter is read in both dialects") {
  CHECK(parse_oom_kills("low 0\nhigh 2\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n") == 2U);
  CHECK(parse_oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n") == 4U);
  CHECK_FALSE(parse_oom_kills("oom_kill_disable 0\nunder_oom 0\n"));
}

TEST_CASE("the message about a kill names limit, share, heap and the likely cause") {
  const auto verdict = judge_death(kKilled, true, limited(), sized(), Bytes{400 * kMiB});
  CHECK(verdict.death == MemoryDeath::oom_killed);
  CHECK(says(verdict, "512 MiB (/sys/fs/cgroup/memory.max)"));
  CHECK(says(verdict, "share 240 MiB"));
  CHECK(says(verdict, "194 MiB"));
  CHECK(says(verdict, "outside the heap"));

  Plan by_user = sized();
  by_user.heap.reset();
  by_user.heap_reason = "left alone: set by --max-old-space-size=999";
  CHECK(says(judge_death(kKilled, true, limited(), by_user, {}), "--max-old-space-size=999"));
  CHECK(says(judge_death(kKilled, true, limited(), sized(), Bytes{50 * kMiB}), "another process"));
}

TEST_CASE("other deaths are told apart from the kernel's") {
  CHECK(judge_death(kKilled, false, limited(), sized(), {}).death == MemoryDeath::killed);
  CHECK(judge_death(ExitStatus::killed_by(signals::abort), false, limited(), sized(), {}).death ==
        MemoryDeath::heap_limit);
  CHECK(judge_death(ExitStatus::exited(134), false, limited(), sized(), {}).death ==
        MemoryDeath::heap_limit);
  CHECK(judge_death(ExitStatus::exited(1), false, limited(), sized(), {}).message.empty());
}

TEST_CASE("usage is read at the level that binds, in microseconds for both versions") {
  test::MapFiles files;
  files.put("/proc/self/cgroup", "0::/p/c\n");
  files.put("/proc/self/mountinfo", "32 31 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  files.put("/sys/fs/cgroup/p/c/cpu.max", "max 100000\n");
  files.put("/sys/fs/cgroup/p/cpu.max", "100000 100000\n");
  files.put("/sys/fs/cgroup/p/cpu.stat",
            "usage_usec 77\nnr_periods 10\nnr_throttled 4\nthrottled_usec 1234\n");
  files.put("/sys/fs/cgroup/p/cpu.pressure", "some avg10=12.05 avg60=0.00 avg300=0.00 total=99\n");
  files.put("/sys/fs/cgroup/p/c/memory.max", "1000000\n");
  files.put("/sys/fs/cgroup/p/c/memory.current", "4096\n");
  files.put("/sys/fs/cgroup/p/c/memory.events", "high 1\nmax 2\noom 0\noom_kill 3\n");
  const Resources resources = read_resources(files, {});
  CHECK(oom_counter_path(resources) == "/sys/fs/cgroup/p/c/memory.events");
  const ContainerUsage usage = read_usage(files, resources);
  CHECK(usage.cpu_us == 77U);
  CHECK(usage.throttled_periods == 4U);
  CHECK(usage.throttled_us == 1234U);
  REQUIRE(usage.cpu_pressure);
  CHECK(usage.cpu_pressure->avg10_percent_hundredths == 1205);
  CHECK(usage.cpu_pressure->total_us == 99);
  CHECK(usage.memory == Bytes{4096});
  CHECK(usage.memory_max_events == 2U);
  CHECK(usage.oom_kills == 3U);
  CHECK_FALSE(usage.memory_peak);
  CHECK_FALSE(parse_pressure("some avg10=x avg60=0 avg300=0 total=1"));
}
