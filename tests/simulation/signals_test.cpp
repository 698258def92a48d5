// Signals that somebody sends to the program: whom they reach.

#include "scene.h"

using namespace ni;
using namespace ni::simulation;

namespace {

const Signal kUser = *Signal::from(12);

// The workers that were sent this signal since the last call.
std::vector<action::SendSignal> sent(World& world, Signal signal) {
  std::vector<action::SendSignal> result = world.take_sent();
  std::erase_if(result, [&](const auto& one) { return one.signal != signal; });
  return result;
}

}  // namespace

TEST_CASE("a signal reaches workers that are on their way out, too") {
  World world(71, {}, {web(2)}, {.long_connection = 1});
  world.start();
  world.run_for(5s);
  world.tell(event::ReloadAsked{});
  world.run_for(20s);
  const std::size_t living = world.supervisor().workers().size();
  REQUIRE(living > 2);
  (void)world.take_sent();
  world.tell(event::ForwardSignal{.signal = kUser});
  CHECK(sent(world, kUser).size() == living);
  require_lawful(world);
}

TEST_CASE("a signal reaches what a command that is not the program itself runs") {
  for (const bool group : {false, true}) {
    ProgramPlan plan = web(1);
    plan.signal_group = group;
    World world(73, {}, {plan}, {});
    world.start();
    world.run_for(5s);
    world.tell(event::ForwardSignal{.signal = kUser});
    const auto got = sent(world, kUser);
    REQUIRE(got.size() == 1);
    CHECK(got[0].whole_group == group);
    world.tell(event::ForwardSignal{.signal = kUser, .whole_group = true});
    CHECK(sent(world, kUser).at(0).whole_group);
    world.tell(event::StopAsked{.quick = true, .why = "SIGTERM"});
    CHECK(sent(world, signals::term).at(0).whole_group == group);
    require_lawful(world);
  }
}
