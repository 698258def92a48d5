#include "core/report/saturation.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("the most CPU is that of the busiest time between two looks") {
  Saturation saturation;
  const Instant start{100s};
  saturation.look(start, 10s);
  CHECK_FALSE(saturation.most_cpu());
  saturation.look(start + 10s, 24s);
  CHECK(saturation.most_cpu() == MilliCpu{1400});
  saturation.look(start + 10s + 1ms, 34s);  // too soon to say
  saturation.look(start + 20s, 34s);
  CHECK(saturation.most_cpu() == MilliCpu{1400});
  saturation.look(start + 30s, 1s);  // another group
  CHECK(saturation.most_cpu() == MilliCpu{1400});
}

TEST_CASE("loops are as busy as they were in 95 of 100 of their time") {
  Saturation saturation;
  CHECK_FALSE(saturation.loop_busy_p95());
  wire::LoopTime loop{.idle = 0, .active = 0};
  saturation.told(Incarnation{1}, loop);
  for (int i = 0; i < 90; ++i) {
    loop.idle += 1000;
    saturation.told(Incarnation{1}, loop);
  }
  CHECK(saturation.loop_busy_p95() == 0.0);
  for (int i = 0; i < 10; ++i) {
    loop.idle += 380;
    loop.active += 620;
    saturation.told(Incarnation{1}, loop);
  }
  CHECK(saturation.loop_busy_p95() == 0.62);
  saturation.told(Incarnation{1}, {.idle = 0, .active = 0});  // it cannot be
  CHECK(saturation.loop_busy_p95() == 0.62);
  saturation.gone(Incarnation{1});
  saturation.told(Incarnation{2}, {.idle = 0, .active = 1e9});
  CHECK(saturation.loop_busy_p95() == 0.62);
}
