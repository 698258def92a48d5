#include "core/report/kept_text.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("a text serves for nine times as long as it took, and not beyond an event") {
  KeptText text;
  Instant now{1h};
  int made = 0;
  const auto get = [&](Duration cost) {
    return text.get([&] { return now; },
                    [&] {
                      now += cost;
                      return std::to_string(++made);
                    });
  };
  CHECK(get(2ms) == "1");
  now += 17ms;
  CHECK(get(2ms) == "1");
  now += 1ms;
  CHECK(get(2ms) == "2");
  text.is_old();
  CHECK(get(10s) == "3");
  now += 999ms;
  CHECK(get(2ms) == "3");
  now += 1ms;
  CHECK(get(0ms) == "4");
  CHECK(get(0ms) == "5");
}
