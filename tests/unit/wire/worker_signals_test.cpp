#include "wire/worker_signals.h"

#include <string>

#include "support/catch.h"
#include "wire/cluster_messages.h"

using namespace ni::wire;

namespace {

WorkerSignals parsed(const std::string& text) {
  const auto json = Json::parse(text);
  REQUIRE(json);
  return parse_worker_signals(*json);
}

std::string counts(const std::string& first) {
  std::string text = first;
  for (std::size_t i = 1; i < RequestTimes::kBuckets; ++i) text += ",0";
  return text;
}

}  // namespace

TEST_CASE("a worker tells its requests, by method, status and time, and its loop") {
  const auto told = parsed(R"({"loop":{"idle":1000.5,"active":20},"requests":{"active":1,)"
                           R"("aborted":2,"upgrades":3,"series":[["GET",200,7.25,)" +
                           counts("4") + R"(],["_OTHER",5,1,)" + counts("1") + "]]}}");
  REQUIRE(told.requests);
  CHECK(told.requests->active == 1);
  CHECK(told.requests->aborted == 2);
  CHECK(told.requests->upgrades == 3);
  REQUIRE(told.requests->series.size() == 2);
  const auto& get = told.requests->series[0];
  CHECK(get.kind == RequestKind{.method = HttpMethod::get, .status = 200});
  CHECK(get.times.counts[0] == 4);
  CHECK(get.times.milliseconds == 7.25);
  CHECK(told.requests->series[1].kind == RequestKind{.method = HttpMethod::other, .status = 5});
  REQUIRE(told.loop);
  CHECK(told.loop->idle == 1000.5);
  CHECK(to_string(HttpMethod::del) == "DELETE");
}

TEST_CASE("what a worker tells of requests is left out where it has not the form") {
  CHECK_FALSE(parsed(R"({"count":3})").requests);
  CHECK_FALSE(parsed(R"({"requests":[],"loop":7})").requests);
  CHECK_FALSE(parsed(R"({"loop":{"idle":-1,"active":2}})").loop);
  CHECK_FALSE(parsed(R"({"loop":{"idle":1e300,"active":2}})").loop);
  const auto told =
      parsed(R"({"requests":{"active":-4,"aborted":"many","series":[["GET",99,1,)" + counts("1") +
             R"(],["GET",1000,1,)" + counts("1") + R"(],["get",200,1,)" + counts("1") +
             R"(],["GET",200,-1,)" + counts("1") + R"(],["GET",200,1,2],["GET",200,1,)" +
             counts("1") + R"(,1],7,null,["GET",201,1,)" + counts("-1") + "]]}}");
  REQUIRE(told.requests);
  CHECK(told.requests->active == 0);
  CHECK(told.requests->aborted == 0);
  REQUIRE(told.requests->series.size() == 1);
  CHECK(told.requests->series[0].kind.status == 201);
  CHECK(told.requests->series[0].times.counts[0] == 0);
}

TEST_CASE("of a worker's series of requests there is a bound") {
  std::string all;
  for (int status = 100; status < 600; ++status) {
    all += std::string(all.empty() ? "" : ",") + "[\"GET\"," + std::to_string(status) + ",1," +
           counts("1") + "]";
  }
  const auto told = parsed("{\"requests\":{\"series\":[" + all + "]}}");
  CHECK(told.requests->series.size() == RequestSignals::kMostSeries);
}

TEST_CASE("figures come with the connections, asked for or not") {
  const auto message = parse_worker_message(
      R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":7,"asked":false,"hears":false,)"
      R"("requests":{"active":2}})");
  REQUIRE(message);
  const auto& told = std::get<ConnectionsCounted>(*message);
  CHECK_FALSE(told.asked);
  CHECK_FALSE(told.hears);
  CHECK(told.signals.requests->active == 2);
}
