#include "core/deaths/loop_guard.h"

#include <vector>

#include "support/catch.h"

using namespace ni;

namespace {

constexpr LoopDelayLimit kLimit{.delay = 500ms, .lasting = 60s};
constexpr Incarnation kFirst{1};
constexpr Incarnation kSecond{2};
constexpr Incarnation kThird{3};

LoopGuard::Finding look(LoopGuard& guard, const std::vector<LoopGuard::Look>& looks, Duration at) {
  return guard.look(looks, kLimit, Instant(at));
}

}  // namespace

TEST_CASE(
    "a worker that is slow at every look for long enough is told, and again only after as long") {
  LoopGuard guard;
  for (Duration at = 0s; at < 60s; at += 1s) {
    CHECK_FALSE(look(guard, {{kFirst, 501ms}, {kSecond, 500ms}}, at).slow);
  }
  const auto found = look(guard, {{kFirst, 700ms}, {kSecond, 0ms}}, 60s);
  REQUIRE(found.slow);
  CHECK(found.slow->worker == kFirst);
  CHECK(found.slow->delay == 700ms);
  CHECK_FALSE(found.all_are);
  CHECK_FALSE(look(guard, {{kFirst, 700ms}, {kSecond, 0ms}}, 119s).slow);
  CHECK_FALSE(look(guard, {{kFirst, 700ms}, {kSecond, 0ms}}, 178s).slow);
  CHECK(look(guard, {{kFirst, 700ms}, {kSecond, 0ms}}, 179s).slow);
}

TEST_CASE("one quick answer proves that it is not slow all the time") {
  LoopGuard guard;
  (void)look(guard, {{kFirst, 2s}, {kSecond, 0ms}}, 0s);
  (void)look(guard, {{kFirst, 500ms}, {kSecond, 0ms}}, 59s);
  CHECK_FALSE(look(guard, {{kFirst, 2s}, {kSecond, 0ms}}, 61s).slow);
  CHECK_FALSE(look(guard, {{kSecond, 0ms}}, 100s).slow);  // it was not ready at this look
  CHECK_FALSE(look(guard, {{kFirst, 2s}, {kSecond, 0ms}}, 130s).slow);
}

TEST_CASE("the slowest of several goes first") {
  LoopGuard guard;
  const std::vector<LoopGuard::Look> looks = {{kFirst, 2s}, {kSecond, 3s}, {kThird, 0ms}};
  (void)look(guard, looks, 0s);
  CHECK(look(guard, looks, 60s).slow->worker == kSecond);
  CHECK(look(guard, looks, 61s).slow->worker == kFirst);
}

TEST_CASE("where all are slow it is load: told once, until one is not") {
  LoopGuard guard;
  const std::vector<LoopGuard::Look> all = {{kFirst, 2s}, {kSecond, 3s}};
  (void)look(guard, all, 0s);
  auto found = look(guard, all, 60s);
  CHECK_FALSE(found.slow);
  CHECK(found.all_are);
  CHECK_FALSE(look(guard, all, 61s).all_are);
  CHECK_FALSE(look(guard, {{kFirst, 0ms}, {kSecond, 0ms}}, 62s).all_are);
  (void)look(guard, all, 63s);
  CHECK(look(guard, all, 123s).all_are);
}

TEST_CASE("a lone worker is all of them") {
  LoopGuard guard;
  const std::vector<LoopGuard::Look> lone = {{kFirst, 2s}};
  (void)look(guard, lone, 0s);
  const auto found = look(guard, lone, 60s);
  CHECK_FALSE(found.slow);
  CHECK(found.all_are);
  CHECK_FALSE(LoopGuard().look({}, kLimit, Instant(99s)).all_are);
}
