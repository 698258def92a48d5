#include "core/deaths/oom.h"
#include "core/container/usage.h"

#include "support/catch.h"

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

TEST_CASE("a kill that no death of ours came with explains no later death") {
  constexpr Instant kStart{};
  OomLedger ledger(0);
  ledger.settle(0, kStart);
  ledger.settle(1, kStart + 20s);  // a worker's own child was killed, and the worker waited for it
  CHECK(OomLedger(ledger).claim(kKilled, 1));  // it may still have been one of ours
  ledger.settle(1, kStart + 21s);
  CHECK(OomLedger(ledger).claim(kKilled, 1));
  ledger.settle(1, kStart + 31s);
  CHECK_FALSE(ledger.claim(kKilled, 1));
  CHECK(ledger.claim(kKilled, 2));
  // A kill that has been claimed is not forgotten twice.
  ledger.settle(2, kStart + 50s);
  ledger.settle(3, kStart + 70s);
  CHECK(ledger.claim(kKilled, 3));
  ledger.settle(0, kStart + 90s);  // another group
  CHECK_FALSE(ledger.claim(kKilled, 0));
  CHECK(ledger.claim(kKilled, 1));
}

TEST_CASE("where nobody of ours ends, a kill was another process's at once") {
  OomLedger ledger(3);
  CHECK(ledger.unexplained(3) == 0);
  CHECK(ledger.unexplained(5) == 2);
  CHECK(ledger.settle_all(5) == 2);
  CHECK(ledger.unexplained(5) == 0);
  CHECK_FALSE(ledger.claim(kKilled, 5));
  CHECK(ledger.claim(kKilled, 6));
  CHECK(ledger.settle_all(std::nullopt) == 0);
  CHECK(tell_of_others(1, limited()).find("a process of this container that is no worker") !=
        std::string::npos);
  CHECK(tell_of_others(2, Resources{}).find("2 processes of this container that are") !=
        std::string::npos);
}

TEST_CASE("kills that nobody has claimed in time are counted") {
  OomLedger ledger(0);
  CHECK(ledger.settle(1, Instant{}) == 0);
  CHECK(ledger.settle(2, Instant{} + 11s) == 1);
}

TEST_CASE("the message about a kill names limit, share, heap, peak and the likely cause") {
  const WorkerEnd buffers{
      .status = kKilled, .out_of_memory = true, .peak_memory = Bytes{400 * kMiB}, .last_words = {}};
  const auto verdict = judge_death(buffers, limited(), sized());
  CHECK(verdict.death == MemoryDeath::oom_killed);
  CHECK(says(verdict, "512 MiB (/sys/fs/cgroup/memory.max)"));
  CHECK(says(verdict, "share 240 MiB"));
  CHECK(says(verdict, "heap limit 194 MiB"));
  CHECK(says(verdict, "400 MiB resident"));
  CHECK(says(verdict, "outside the heap (Buffers, native add-ons) is the cause"));

  WorkerEnd end = buffers;
  end.peak_memory = Bytes{50 * kMiB};
  CHECK(says(judge_death(end, limited(), sized()), "another process"));
  end.peak_memory = Bytes{200 * kMiB};
  CHECK(says(judge_death(end, limited(), sized()), "the likely cause"));
  end.peak_memory.reset();
  CHECK(says(judge_death(end, limited(), sized()), "the likely cause"));
  Plan by_user = sized();
  by_user.heap.reset();
  by_user.heap_reason = "left alone: set by --max-old-space-size=999";
  CHECK(says(judge_death(end, limited(), by_user), "--max-old-space-size=999"));
  CHECK(says(judge_death(end, Resources{}, sized()), "no limit of this container is visible"));
}

TEST_CASE("other deaths are told apart from the kernel's") {
  const auto judge = [](ExitStatus status, std::string words = {}) {
    return judge_death({.status = status,
                        .out_of_memory = false,
                        .peak_memory = {},
                        .last_words = std::move(words)},
                       limited(), sized());
  };
  const ExitStatus aborted = ExitStatus::killed_by(signals::abort);
  CHECK(judge(kKilled).death == MemoryDeath::killed);
  CHECK(judge(aborted).death == MemoryDeath::heap_limit);
  CHECK(judge(ExitStatus::exited(134)).death == MemoryDeath::heap_limit);
  CHECK(judge(ExitStatus::exited(1)).message.empty());
  const auto full = judge(aborted,
                          "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out "
                          "of memory");
  CHECK(full.death == MemoryDeath::heap_limit);
  CHECK(says(full, "its heap is full"));
  CHECK(says(full, "heap limit 194 MiB"));
  // process.abort(), or a check in native code.
  CHECK(judge(aborted, "Error: something else").death == MemoryDeath::none);
}
