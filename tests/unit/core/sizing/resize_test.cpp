#include "core/sizing/resize.h"

#include "support/catch.h"

using namespace ni;

namespace {

Plan plan(unsigned workers, std::uint64_t memory_mib, unsigned heap_mib) {
  Plan result;
  result.workers = workers;
  result.memory = Bytes{memory_mib * kMiB};
  result.heap = HeapSize{heap_mib, 4};
  return result;
}

constexpr Instant kStart{};

}  // namespace

TEST_CASE("more CPUs give more workers when they have been there for 5 s") {
  Resize resize(plan(2, 1024, 400));
  resize.observe(plan(3, 1024, 390), kStart);
  CHECK(resize.next_deadline() == kStart + 5s);
  resize.observe(plan(3, 1024, 390), kStart + 2s);
  CHECK_FALSE(resize.take_due(kStart + 4999ms));
  const auto decision = resize.take_due(kStart + 5s);
  REQUIRE(decision);
  CHECK(decision->workers == 3);
  CHECK_FALSE(decision->replace_workers);
  CHECK_FALSE(resize.next_deadline());
  CHECK_FALSE(resize.take_due(kStart + 60s));
}

TEST_CASE("a limit that does not stay has no effect") {
  Resize resize(plan(2, 1024, 400));
  for (int second = 0; second < 120; second += 4) {
    resize.observe(plan(second % 8 == 0 ? 1 : 3, 1024, 400), kStart + std::chrono::seconds(second));
    CHECK_FALSE(resize.take_due(kStart + std::chrono::seconds(second + 3)));
  }
  resize.observe(plan(2, 1024, 400), kStart + 121s);
  CHECK_FALSE(resize.next_deadline());
}

TEST_CASE("a limit that goes back and forth is followed more and more slowly") {
  Resize resize(plan(2, 1024, 400));
  unsigned decisions = 0;
  bool high = false;
  for (int second = 0; second < 600; ++second) {
    high = second / 10 % 2 == 0;
    const Instant now = kStart + std::chrono::seconds(second);
    resize.observe(plan(high ? 4 : 2, 1024, 400), now);
    decisions += resize.take_due(now) ? 1 : 0;
  }
  CHECK(decisions <= 3);
  // When it stays at last, it is followed.
  for (int second = 600; second < 1000; ++second) {
    const Instant now = kStart + std::chrono::seconds(second);
    resize.observe(plan(5, 1024, 400), now);
    (void)resize.take_due(now);
  }
  CHECK(resize.running().workers == 5);
}

TEST_CASE("less memory is followed at once, by replacing the workers") {
  Resize resize(plan(2, 1024, 400));
  resize.observe(plan(2, 512, 194), kStart);
  CHECK(resize.next_deadline() == kStart + 1s);
  const auto decision = resize.take_due(kStart + 1s);
  REQUIRE(decision);
  CHECK(decision->replace_workers);
  CHECK(decision->workers == 2);
}

TEST_CASE("more memory is followed only when asked for") {
  Resize calm(plan(2, 512, 194));
  calm.observe(plan(2, 1024, 400), kStart);
  CHECK_FALSE(calm.next_deadline());

  Resize eager(plan(2, 512, 194), {.follow_larger_memory = true});
  eager.observe(plan(2, 1024, 400), kStart);
  const auto decision = eager.take_due(kStart + 5s);
  REQUIRE(decision);
  CHECK(decision->replace_workers);
}

TEST_CASE("more workers in the same memory have those that run replaced by smaller ones") {
  Resize resize(plan(1, 512, 400));
  resize.observe(plan(2, 512, 194), kStart);
  const auto decision = resize.take_due(kStart + 5s);
  REQUIRE(decision);
  CHECK(decision->workers == 2);
  CHECK(decision->replace_workers);
}

TEST_CASE("a limit rounded to pages is no resize") {
  Resize resize(plan(2, 1024, 400));
  resize.observe(plan(2, 1023, 399), kStart);
  CHECK_FALSE(resize.next_deadline());
}

TEST_CASE("more memory that comes with other CPUs is followed in the same step") {
  Resize eager(plan(1, 512, 428), {.follow_larger_memory = true});
  eager.observe(plan(2, 2048, 900), kStart);
  const auto decision = eager.take_due(kStart + 5s);
  REQUIRE(decision);
  CHECK(decision->workers == 2);
  CHECK(decision->replace_workers);
}

TEST_CASE("a memory limit that goes back and forth is followed upwards more and more slowly") {
  Resize eager(plan(1, 1024, 900), {.follow_larger_memory = true});
  unsigned larger = 0;
  unsigned smaller = 0;
  for (int second = 0; second < 3600; ++second) {
    const Instant now = kStart + std::chrono::seconds(second);
    const bool high = second / 10 % 2 == 1;
    eager.observe(high ? plan(1, 1024, 900) : plan(1, 512, 428), now);
    const unsigned heap = eager.running().heap->old_space_mib;
    if (eager.take_due(now)) {
      (eager.running().heap->old_space_mib > heap ? larger : smaller) += 1;
    }
  }
  CHECK(larger <= 2);
  CHECK(smaller <= 3);
  CHECK(eager.running().heap->old_space_mib == 428);  // the one that is safe at any time
}

TEST_CASE(
    "a memory limit that goes back and forth costs one replacement when growth is not followed") {
  Resize calm(plan(2, 1024, 400));
  unsigned decisions = 0;
  for (int second = 0; second < 600; ++second) {
    const Instant now = kStart + std::chrono::seconds(second);
    calm.observe(second / 10 % 2 == 0 ? plan(2, 512, 194) : plan(2, 1024, 400), now);
    decisions += calm.take_due(now) ? 1 : 0;
  }
  CHECK(decisions == 1);
}
