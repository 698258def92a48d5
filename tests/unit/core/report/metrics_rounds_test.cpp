#include "core/report/metrics_rounds.h"

#include <array>
#include <string>

#include "support/catch.h"

using namespace ni;

namespace {

constexpr ProgramId kProgram{0};
const std::array<MetricsRounds::Asked, 2> kTwo = {
    MetricsRounds::Asked{.worker = Incarnation{1}, .program = kProgram, .label = ""},
    MetricsRounds::Asked{.worker = Incarnation{2}, .program = kProgram, .label = ""}};

std::string answer(std::int64_t request) {
  return R"({"type":"prom-client:getMetricsRes","requestId":)" + std::to_string(request) +
         R"(,"metrics":[[{"name":"g","type":"gauge","values":[{"value":1,"labels":{}}]}]]})";
}

}  // namespace

TEST_CASE("a round ends when all have answered") {
  MetricsRounds rounds;
  const Instant now{10s};
  REQUIRE(rounds.begin(kTwo, now).size() == 2);
  CHECK(rounds.begin(kTwo, now).empty());  // joined
  rounds.answered(Incarnation{1}, answer(rounds.request()));
  CHECK_FALSE(rounds.is_complete(now));
  rounds.answered(Incarnation{2}, answer(rounds.request()));
  CHECK(rounds.is_complete(now));
  CHECK(rounds.finish().samples() == 1);
  CHECK_FALSE(rounds.is_under_way());
  CHECK(rounds.answers().merged == 2);
}

TEST_CASE("nobody to ask: the round is over at once") {
  MetricsRounds rounds;
  CHECK(rounds.begin({}, Instant{1s}).empty());
  CHECK(rounds.is_complete(Instant{1s}));
}

TEST_CASE("a program that has answered is waited for longer, and who does not is counted") {
  MetricsRounds rounds;
  const Instant now{10s};
  (void)rounds.begin(kTwo, now);
  CHECK(rounds.deadline() == now + MetricsRounds::kFirstPatience);
  rounds.answered(Incarnation{1}, answer(rounds.request()));
  CHECK(rounds.deadline() == now + MetricsRounds::kPatience);
  CHECK(rounds.is_complete(now + MetricsRounds::kPatience));
  CHECK(rounds.finish().samples() == 1);
  CHECK(rounds.answers().unanswered == 1);

  const auto late = rounds.request();
  (void)rounds.begin(kTwo, now + 15s);
  rounds.answered(Incarnation{2}, answer(late));  // of the round before
  rounds.answered(Incarnation{2},
                  "{\"type\":\"prom-client:getMetricsRes\",\"requestId\":2,\"error\":\"no\"}");
  rounds.gone(Incarnation{1});
  CHECK(rounds.is_complete(now + 15s));
  CHECK(rounds.finish().samples() == 0);
  CHECK(rounds.answers().unusable == 1);
  CHECK(rounds.answers().unanswered == 1);
}

TEST_CASE("a program without prom-client is soon left alone, and its new workers are asked again") {
  MetricsRounds rounds;
  Instant now{10s};
  for (unsigned i = 0; i < MetricsRounds::kMostUnanswered; ++i, now += 15s) {
    REQUIRE(rounds.begin(kTwo, now).size() == 2);
    (void)rounds.finish();
  }
  CHECK(rounds.begin(kTwo, now).empty());
  CHECK(rounds.is_complete(now));
  (void)rounds.finish();
  CHECK(rounds.answers().unanswered == 0);

  const std::array<MetricsRounds::Asked, 1> fresh = {
      MetricsRounds::Asked{.worker = Incarnation{3}, .program = kProgram, .label = ""}};
  CHECK(rounds.begin(fresh, now).size() == 1);
  rounds.answered(Incarnation{3}, answer(rounds.request()));
  (void)rounds.finish();
  CHECK(rounds.begin(kTwo, now + 15s).size() == 2);  // one of them answers, so can the others
}

TEST_CASE("who was not asked is not listened to") {
  MetricsRounds rounds;
  rounds.answered(Incarnation{9}, answer(0));
  (void)rounds.begin(kTwo, Instant{1s});
  rounds.answered(Incarnation{9}, answer(rounds.request()));
  CHECK(rounds.finish().samples() == 0);
}

TEST_CASE("a round waits a little for connections to be counted") {
  MetricsRounds rounds;
  const Instant now{10s};
  CHECK(rounds.begin({}, now, {Incarnation{1}, Incarnation{2}}).empty());
  CHECK_FALSE(rounds.is_complete(now));
  rounds.counted(Incarnation{1});
  CHECK_FALSE(rounds.is_complete(now));
  CHECK(rounds.is_complete(now + MetricsRounds::kFirstPatience));
  rounds.gone(Incarnation{2});
  CHECK(rounds.is_complete(now));
}

TEST_CASE(
    "a program that lets its first round pass is not waited for again, nor is a new worker of it") {
  MetricsRounds rounds;
  Instant now{10s};
  (void)rounds.begin(kTwo, now);
  CHECK(rounds.deadline() == now + MetricsRounds::kFirstPatience);
  (void)rounds.finish();
  const std::array<MetricsRounds::Asked, 2> later = {
      MetricsRounds::Asked{.worker = Incarnation{1}, .program = kProgram, .label = ""},
      MetricsRounds::Asked{.worker = Incarnation{3}, .program = kProgram, .label = ""}};
  CHECK(rounds.begin(later, now += 15s).size() == 2);
  CHECK(rounds.is_complete(now));
  const auto late = rounds.request();
  (void)rounds.finish();
  rounds.answered(Incarnation{1}, answer(late));  // too late, but it does answer
  (void)rounds.begin(later, now += 15s);
  CHECK(rounds.deadline() == now + MetricsRounds::kPatience);
}

TEST_CASE("a worker that was too late is asked, but not waited for until it answers") {
  MetricsRounds rounds;
  Instant now{10s};
  (void)rounds.begin(kTwo, now);
  rounds.answered(Incarnation{1}, answer(rounds.request()));
  (void)rounds.finish();
  CHECK(rounds.begin(kTwo, now += 15s).size() == 2);
  CHECK_FALSE(rounds.is_complete(now));
  rounds.answered(Incarnation{1}, answer(rounds.request()));
  CHECK(rounds.is_complete(now));
  rounds.answered(Incarnation{2}, answer(rounds.request()));  // in time all the same
  CHECK(rounds.finish().samples() == 1);
  CHECK(rounds.answers().merged == 3);
}

TEST_CASE("one that was busy when connections were counted is not waited for until it has told") {
  MetricsRounds rounds;
  Instant now{10s};
  (void)rounds.begin({}, now, {Incarnation{1}, Incarnation{2}});
  CHECK_FALSE(rounds.counted(Incarnation{1}));
  rounds.counted(Incarnation{2}, false);  // unasked: not the answer
  CHECK_FALSE(rounds.is_complete(now));
  (void)rounds.finish();
  (void)rounds.begin({}, now += 15s, {Incarnation{1}, Incarnation{2}});
  rounds.counted(Incarnation{1});
  CHECK(rounds.is_complete(now));
  (void)rounds.finish();
  rounds.counted(Incarnation{2});
  (void)rounds.begin({}, now += 15s, {Incarnation{2}});
  CHECK_FALSE(rounds.is_complete(now));
}

TEST_CASE("a program that listens to no messages is not asked until it does") {
  MetricsRounds rounds;
  Instant now{10s};
  (void)rounds.begin(kTwo, now);
  for (const auto& one : kTwo) CHECK_FALSE(rounds.counted(one.worker, true, false));
  CHECK(rounds.is_complete(now));
  (void)rounds.finish();
  CHECK(rounds.begin(kTwo, now += 15s, {Incarnation{1}, Incarnation{2}}).empty());
  CHECK(rounds.counted(Incarnation{1}, true, true));  // it does now
  CHECK_FALSE(rounds.counted(Incarnation{1}, true, true));
  CHECK_FALSE(rounds.counted(Incarnation{2}, true, false));
  CHECK(rounds.deadline() == now + MetricsRounds::kFirstPatience);
  rounds.answered(Incarnation{1}, answer(rounds.request()));
  CHECK(rounds.is_complete(now));
  CHECK(rounds.finish().samples() == 1);
  CHECK_FALSE(rounds.counted(Incarnation{1}, true, true));  // nobody waits now
}

TEST_CASE("totals do not shrink when a worker ends") {
  MetricsRounds rounds;
  const auto total = [](const WorkerMetrics& metrics) {
    wire::Exposition out(wire::MetricsFormat::prometheus);
    metrics.write(out, wire::MetricsFormat::prometheus);
    const std::string text = std::move(out).finish();
    return text.substr(text.rfind("c_total"));
  };
  const auto says = [&](unsigned worker, unsigned count) {
    rounds.answered(Incarnation{worker},
                    R"({"type":"prom-client:getMetricsRes","requestId":)" +
                        std::to_string(rounds.request()) +
                        R"(,"metrics":[[{"name":"c_total","type":"counter","values":[{"value":)" +
                        std::to_string(count) + R"(,"labels":{}}]}]]})");
  };
  Instant now{10s};
  (void)rounds.begin(kTwo, now);
  says(1, 10);
  says(2, 20);
  CHECK(total(rounds.finish()) == "c_total 30\n");

  rounds.gone(Incarnation{1});
  const auto second = std::span(kTwo).subspan(1);
  (void)rounds.begin(second, now += 15s);
  says(2, 21);
  CHECK(total(rounds.finish()) == "c_total 31\n");

  // One that answers and then ends is not counted twice in this round, and not lost after it.
  (void)rounds.begin(kTwo, now += 15s);
  says(1, 2);
  says(2, 25);
  rounds.gone(Incarnation{2});
  CHECK(total(rounds.finish()) == "c_total 37\n");
  (void)rounds.begin(std::span(kTwo).first(1), now += 15s);
  says(1, 3);
  CHECK(total(rounds.finish()) == "c_total 38\n");
}
