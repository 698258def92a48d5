#include "core/container/resources.h"

#include <algorithm>

#include "support/catch.h"
#include "support/map_files.h"

using namespace ni;
using Verdict = Finding::Verdict;

namespace {

constexpr auto kMountinfo = "32 31 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

test::MapFiles v2(const std::string& group) {
  return test::MapFiles({{"/proc/self/cgroup", "0::" + group + "\n"},
                         {"/proc/self/mountinfo", kMountinfo},
                         {"/proc/meminfo", "MemTotal: 8388608 kB\n"}});
}

MachineFacts affinity(unsigned cpus) {
  return {.affinity = cpus};
}

const Finding* finding(const Resources& resources, std::string_view path) {
  const auto found = std::ranges::find(resources.findings, path, &Finding::path);
  return found == resources.findings.end() ? nullptr : &*found;
}

Verdict verdict(const Resources& resources, std::string_view path) {
  const Finding* const found = finding(resources, path);
  REQUIRE(found != nullptr);
  return found->verdict;
}

}  // namespace

TEST_CASE("every level is told, with the one that binds") {
  auto files = v2("/pod/c");
  files.put("/sys/fs/cgroup/pod/c/cpu.max", "400000 100000\n");
  files.put("/sys/fs/cgroup/pod/c/cpu.weight", "39\n");
  files.put("/sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  files.put("/sys/fs/cgroup/cpu.max", "max 100000\n");
  files.put("/sys/fs/cgroup/pod/c/memory.max", "lots\n");
  const Resources found = read_resources(files, affinity(8));
  CHECK(verdict(found, "/sys/fs/cgroup/pod/c/cpu.max") == Verdict::wider);
  CHECK(verdict(found, "/sys/fs/cgroup/pod/cpu.max") == Verdict::binds);
  CHECK(verdict(found, "/sys/fs/cgroup/cpu.max") == Verdict::none);
  CHECK(verdict(found, "/sys/fs/cgroup/pod/c/cpu.weight") == Verdict::shown);
  CHECK(verdict(found, "/sys/fs/cgroup/pod/c/memory.max") == Verdict::ignored);
  CHECK(found.cpu_directory() == "/sys/fs/cgroup/pod");
  CHECK(found.memory_directory() == "/sys/fs/cgroup/pod/c");
  CHECK(found.cpus.source == "/sys/fs/cgroup/pod/cpu.max");
  CHECK(std::ranges::count(found.limit_files(), "/sys/fs/cgroup/pod/cpu.max") == 1);
  CHECK(std::ranges::count(found.limit_files(), "/sys/fs/cgroup/pod/c/cpu.weight") == 0);
}

TEST_CASE("a limit file that may not be read is said, and the levels above still count") {
  auto files = v2("/pod/c");
  files.refuse("/sys/fs/cgroup/pod/c/cpu.max", EACCES);
  files.put("/sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
  const Resources found = read_resources(files, affinity(8));
  CHECK(verdict(found, "/sys/fs/cgroup/pod/c/cpu.max") == Verdict::ignored);
  REQUIRE(found.cpu_quota);
  CHECK(found.cpu_quota->value.cpus() == MilliCpu{2000});
}

TEST_CASE("files of /proc that may not be read are said and worked around") {
  test::MapFiles files;
  files.put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  files.refuse("/proc/self/cgroup", EACCES);
  files.refuse("/proc/self/mountinfo", EPERM);
  const Resources found = read_resources(files, affinity(4));
  CHECK(found.notes.size() == 2);
  CHECK(found.cpu_hierarchy.approximate);
  REQUIRE(found.cpu_quota);
  CHECK_FALSE(found.memory);
}

TEST_CASE("with nothing known one CPU is assumed, and that is said") {
  const Resources found = read_resources(test::MapFiles(), {});
  CHECK(found.cpus.value == MilliCpu{1000});
  CHECK(found.cpus.source == "assumed");
  CHECK_FALSE(found.cpus_narrowed);
  CHECK_FALSE(found.memory);
}

TEST_CASE("the machine's CPUs stand in for an unknown affinity, and show when it is narrowed") {
  auto files = v2("/");
  files.put("/sys/devices/system/cpu/online", "0-31\n");
  CHECK(read_resources(files, {}).cpus.value == MilliCpu{32'000});
  CHECK_FALSE(read_resources(files, {}).cpus_narrowed);
  CHECK(read_resources(files, affinity(24)).cpus_narrowed);
  CHECK(read_resources(files, affinity(24)).cpus.value == MilliCpu{24'000});
}

TEST_CASE("a limit above the machine's memory is told, but not used") {
  auto files = v2("/");
  files.put("/sys/fs/cgroup/memory.max", "68719476736\n");
  const Resources found = read_resources(files, affinity(4));
  CHECK(found.memory_limit->value == Bytes{64 * kGiB});
  CHECK(found.memory->value == Bytes{8 * kGiB});
  CHECK(found.memory->source == "/proc/meminfo");
}
