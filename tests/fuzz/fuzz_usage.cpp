// cpu.stat, pressure, memory.events and their v1 kin, by turns: figures are never negative, and the
// ledger of OOM kills never explains more deaths than the kernel has counted.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/container/limits.h"
#include "core/container/usage.h"
#include "core/deaths/oom.h"
#include "fuzz/require.h"
#include "support/map_files.h"

using namespace ni;

namespace {

Resources in_version(unsigned version) {
  Resources resources;
  for (Hierarchy* const place :
       {&resources.cpu_hierarchy, &resources.cpuset_hierarchy, &resources.memory_hierarchy}) {
    place->version = version;
    place->levels = {"/g"};
  }
  return resources;
}

void check_usage(std::string_view text, unsigned version) {
  test::MapFiles files;
  for (const char* const name :
       {"cpu.stat", "cpuacct.usage", "memory.usage_in_bytes", "memory.max_usage_in_bytes",
        "memory.failcnt", "memory.oom_control", "memory.current", "memory.peak", "memory.events",
        "cpu.pressure", "memory.pressure", "io.pressure", "cgroup.type"}) {
    files.put("/g/" + std::string(name), std::string(text));
  }
  const ContainerUsage usage = read_usage(files, in_version(version));
  for (const auto& time : {usage.cpu, usage.throttled}) {
    FUZZ_REQUIRE(!time || *time >= Duration::zero());
  }
  FUZZ_REQUIRE(usage.pressure.size() <= 3 && usage.memory_events.size() <= 5);
  for (const Pressure& one : usage.pressure) {
    FUZZ_REQUIRE(one.some || one.full);
    FUZZ_REQUIRE(!one.some || *one.some >= Duration::zero());
    FUZZ_REQUIRE(!one.full || *one.full >= Duration::zero());
  }
}

// Each piece is what the counter's file said after one more death.
void check_ledger(std::string_view text) {
  const auto pieces = split(text, '\0');
  OomLedger ledger(parse_oom_kills(pieces[0]));
  std::uint64_t most = 0;
  std::uint64_t last = parse_oom_kills(pieces[0]).value_or(0);
  std::uint64_t claimed = 0;
  Instant now{};
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const auto counter = parse_oom_kills(pieces[i]);
    if (counter && *counter > last) most += *counter - last;
    if (counter) last = *counter;
    const bool by_kill = pieces[i].size() % 2 == 0;
    const ExitStatus status =
        by_kill ? ExitStatus::killed_by(signals::kill, false) : ExitStatus::exited(137);
    const bool is_oom = ledger.claim(status, counter);
    FUZZ_REQUIRE(!is_oom || (by_kill && counter));
    claimed += is_oom ? 1 : 0;
    FUZZ_REQUIRE(claimed <= most);
    FUZZ_REQUIRE(!counter || ledger.unexplained(counter) <= *counter);
    now += Duration(1s) * static_cast<int>(pieces[i].size() % 16);
    FUZZ_REQUIRE(ledger.settle(counter, now) <= most);
  }
  const auto counter = parse_oom_kills(pieces.back());
  FUZZ_REQUIRE(ledger.settle_all(counter) <= most);
  FUZZ_REQUIRE(ledger.unexplained(counter) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_usage(text, 1);
  check_usage(text, 2);
  check_ledger(text);
  const Pressure pressure = parse_pressure(text);
  FUZZ_REQUIRE(!(pressure.some || pressure.full) || text.find("total=") != text.npos);
  for (const char* const key : {"nr_periods", "usage_usec", "oom_kill"}) {
    const auto value = parse_stat(text, key);
    FUZZ_REQUIRE(!value || text.find(key) != text.npos);
  }
  return 0;
}
