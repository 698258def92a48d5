#include "core/supervision/worker.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("an end is a failure only when nobody has asked for it, or it was at fault") {
  using enum EndReason;
  constexpr ExitStatus kGood = ExitStatus::exited(0);
  constexpr ExitStatus kBad = ExitStatus::exited(3);
  constexpr ExitStatus kTerminated = ExitStatus::killed_by(signals::term);
  constexpr ExitStatus kKilled = ExitStatus::killed_by(signals::kill);
  const auto ended = [](EndReason why, ExitStatus status, bool had_to_kill = false) {
    Worker worker;
    worker.end_reason = why;
    worker.had_to_kill = had_to_kill;
    return ending_of(worker, status);
  };
  CHECK(ended(not_asked, kGood) == Ending::in_order);
  CHECK(ended(not_asked, kBad) == Ending::failed);
  CHECK(ended(not_asked, kTerminated) == Ending::failed);
  for (const EndReason fault : {never_ready, unresponsive}) {
    CHECK(ended(fault, kGood) == Ending::failed);
    CHECK(ended(fault, kKilled, true) == Ending::failed);
  }
  for (const EndReason wish : {container_stop, scaled_down, replaced, rollout_failed}) {
    CHECK(ended(wish, kGood) == Ending::in_order);
    CHECK(ended(wish, kBad) == Ending::in_order);
    CHECK(ended(wish, kTerminated) == Ending::in_order);
  }
  CHECK(ended(container_stop, kKilled, true) == Ending::cut_short);
  CHECK(ended(replaced, kKilled, true) == Ending::in_order);
}
