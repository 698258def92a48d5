// Listeners that no worker holds any more.

#include "unit/core/primary/primary_world.h"

using namespace ni;
using namespace ni::primary_test;
namespace act = ni::primary_action;

namespace {

void pass(World& world, Duration time) {
  const Instant end = world.now + time;
  for (auto due = world.primary.next_deadline(); due && *due <= end;
       due = world.primary.next_deadline()) {
    world.now = std::max(world.now, *due);
    world.primary.on_deadline(world.now);
    world.settle();
  }
  world.now = end;
  world.primary.tick(end);
}

// A worker that listens on the program's port, and on one of its own.
void listens_twice(World& world, Incarnation worker) {
  world.listens(worker);
  world.say(worker, query_line(7, 4000 + static_cast<int>(worker.value)));
  world.say(worker, kAck);
}

void die(World& world, Incarnation worker) {
  world.primary.forget(worker);
  world.settle();
}

}  // namespace

TEST_CASE("a dead worker's listener is closed when its successor serves without it") {
  World world(Balance::kernel, 1);
  world.start(kFirst, 0);
  listens_twice(world, kFirst);
  world.serve({kFirst});
  die(world, kFirst);
  world.serve({});
  pass(world, 1h);
  CHECK(world.take<act::CloseListener>().empty());  // the queue waits for the successor
  world.start(kSecond, 0);
  world.listens(kSecond);
  pass(world, 1h);
  CHECK(world.take<act::CloseListener>().empty());  // it is not ready yet
  world.serve({kSecond});
  pass(world, Primary::kUnheldAfterSuccessor - 1ms);
  CHECK(world.take<act::CloseListener>().empty());
  pass(world, 2ms);
  const auto closed = world.take<act::CloseListener>();
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].listener == ListenerId{2});
  CHECK(world.primary.listeners() == 1);
  pass(world, 1h);
  CHECK(world.primary.listeners() == 1);
}

TEST_CASE("a successor that asks in time gets the same socket, with what waits in it") {
  World world(Balance::kernel, 1);
  world.start(kFirst, 0);
  listens_twice(world, kFirst);
  world.serve({kFirst});
  die(world, kFirst);
  world.start(kSecond, 0);
  world.listens(kSecond);
  world.serve({kSecond});
  pass(world, Primary::kUnheldAfterSuccessor / 2);
  world.say(kSecond, query_line(8, 4001));
  pass(world, 1h);
  CHECK(world.take<act::CloseListener>().empty());
  CHECK(world.take<act::OpenListener>().size() == 2);
}

TEST_CASE("a listener of a slot that is gone, or whose successor never comes, is closed") {
  for (const bool scaled_down : {true, false}) {
    World world;
    for (const Incarnation worker : {kFirst, kSecond}) {
      world.start(worker, worker.value - 1);
      listens_twice(world, worker);
    }
    world.serve({kFirst, kSecond});
    if (scaled_down) world.primary.set_program({0}, {.balance = Balance::kernel, .slots = 1});
    die(world, kSecond);
    world.serve({kFirst});
    pass(world, 1s);
    CHECK(world.primary.listeners() == (scaled_down ? 2 : 3));
    pass(world, Primary::kUnheldWithoutSuccessor);
    CHECK(world.primary.listeners() == 2);
  }
}

TEST_CASE("the listeners of a program that has ended are closed, another's are not") {
  World world;
  world.primary.set_program({1}, {.slots = 1});
  world.start(kFirst, 0);
  world.listens(kFirst);
  world.primary.open_channel(kSecond, {{1}, {0}, false});
  world.listens(kSecond);
  world.primary.close_listeners_of({1});
  world.settle();
  const auto closed = world.take<act::CloseListener>();
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].listener == ListenerId{2});
}

TEST_CASE("one listen too many is answered EMFILE, and the worker lives on") {
  World world;
  world.start(kFirst, 0);
  const int most = static_cast<int>(Primary::kMostListens);
  for (int i = 0; i < most; ++i) {
    world.say(kFirst, query_line(i, 3000 + i));
    world.say(kFirst, kAck);
  }
  (void)world.take<act::Send>();
  world.say(kFirst, query_line(most, 3000 + most));
  const auto sent = world.take<act::Send>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].line.find("-24") != std::string::npos);
  CHECK(world.take<act::StopListeningTo>().empty());
  CHECK(world.primary.listeners() == Primary::kMostListens);
}
