// What the primary keeps, and when it looks at all.

#include "unit/core/primary/primary_world.h"

using namespace ni;
using namespace ni::primary_test;
namespace act = ni::primary_action;

TEST_CASE("connections that no worker can take are held up to a bound, and served in their turn") {
  World world(Balance::round_robin);
  world.start(kFirst, 0);
  world.listens(kFirst);
  world.serve({});
  const SocketRef socket{world.take<act::OpenListener>().at(0).listener, 0};
  for (std::uint64_t client = 1; client <= Primary::kMostHomeless; ++client) {
    world.arrive(socket, client);
  }
  CHECK(world.take<act::DropConnection>().empty());
  world.arrive(socket, Primary::kMostHomeless + 1);
  REQUIRE(world.take<act::DropConnection>().size() == 1);
  CHECK(world.primary.connections(ProgramId{}).dropped == 1);
  world.serve({kFirst});
  CHECK(world.take<act::SendConnection>().size() == 1);  // the next with its answer
}

TEST_CASE("the queue of the only worker is not looked at: nobody else could take from it") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  world.serve({kFirst});
  const ListenerId listener = world.take<act::OpenListener>().at(0).listener;
  world.primary.queue_readable({listener, 0}, world.now);
  world.settle();
  if (const auto due = world.primary.next_deadline()) world.look(listener, {4, 0});
  CHECK_FALSE(world.primary.next_deadline());
}

TEST_CASE("a queue that has shrunk and stands still since is stuck at the second look") {
  World world;
  world.serve_two();
  const ListenerId listener = world.take<act::OpenListener>().at(0).listener;
  world.take<act::Steer>();
  world.primary.queue_readable({listener, 0}, world.now);
  world.look(listener, {3, 0});
  world.look(listener, {2, 0});
  CHECK(world.take<act::Steer>().empty());
  world.look(listener, {2, 0});
  CHECK(world.take<act::Steer>().size() == 1);
}
