// Workers that do not come to their event loop, as the primary tells of them.

#include "unit/core/primary/primary_world.h"

using namespace ni;
using namespace ni::primary_test;

namespace {

// Two workers that serve, pinged each second and unresponsive after five.
struct Guarded : World {
  Guarded() {
    primary.set_program({0}, {.slots = 2, .ping_every = 1s, .hang_timeout = 5s});
    for (const Incarnation worker : {kFirst, kSecond}) {
      start(worker, worker.value - 1);
      listens(worker);
    }
    serve({kFirst, kSecond});
  }
  void pass(Duration time) {
    const Instant end = now + time;
    for (auto due = primary.next_deadline(); due && *due <= end; due = primary.next_deadline()) {
      wake(std::max(now, *due));
    }
    now = end;
  }
  void wake(Instant at) {
    now = at;
    primary.on_deadline(now);
    settle();
  }
};

}  // namespace

TEST_CASE("no worker of a program whose workers never answer is unresponsive") {
  Guarded world;  // another runtime: Deno, Bun
  world.pass(100s);
  CHECK(world.told<event::Unresponsive>().empty());
}

TEST_CASE("a worker is unresponsive when it, or another of its program, has answered before") {
  Guarded world;
  world.pass(1s);
  world.say(kFirst, kNack);
  world.pass(40s);
  const auto told = world.told<event::Unresponsive>();
  REQUIRE(told.size() == 2);
  CHECK(told[0].silent_for == 5s);
  CHECK(world.primary.is_unresponsive(kFirst));
  world.say(kFirst, kNack);
  CHECK_FALSE(world.primary.is_unresponsive(kFirst));
}

TEST_CASE("a worker of a known runtime is unresponsive even if it has never answered") {
  Guarded world;
  world.primary.set_program(
      {0}, {.slots = 2, .ping_every = 1s, .hang_timeout = 5s, .answers_pings = true});
  world.pass(10s);
  CHECK(world.told<event::Unresponsive>().size() == 2);
}

TEST_CASE("a worker whose first answer comes after our patience has ended is measured again") {
  Guarded world;
  world.pass(40s);
  REQUIRE(world.told<event::Unresponsive>().empty());
  world.say(kFirst, kNack);
  world.pass(20s);
  CHECK_FALSE(world.told<event::Unresponsive>().empty());
}

TEST_CASE("a worker that was excused has its whole time again") {
  Guarded world;
  world.pass(1s);
  world.say(kFirst, kNack);
  world.say(kSecond, kNack);
  world.pass(10s);
  REQUIRE(world.told<event::Unresponsive>().size() == 2);
  world.primary.excuse(kFirst, world.now);
  world.pass(4s);
  CHECK(world.told<event::Unresponsive>().size() == 2);
  world.pass(2s);
  CHECK(world.told<event::Unresponsive>().size() == 3);
}

TEST_CASE("when we did not run ourselves, nobody is unresponsive for that") {
  Guarded world;
  world.pass(1s);
  world.say(kFirst, kNack);
  world.say(kSecond, kNack);
  world.pass(1s);
  const Instant thawed = world.now + 1h;  // frozen with a ping on its way
  world.wake(thawed);
  CHECK(world.told<event::Unresponsive>().empty());
  world.pass(6s);
  CHECK(world.told<event::Unresponsive>().size() == 2);
}
