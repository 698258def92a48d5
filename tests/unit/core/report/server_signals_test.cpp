#include "core/report/server_signals.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "support/catch.h"

using namespace ni;
using wire::HttpMethod;
using wire::RequestSignals;

namespace {

constexpr ProgramId kWeb{0};
constexpr ProgramId kOther{1};
constexpr Incarnation kFirst{1};
constexpr Incarnation kSecond{2};

wire::WorkerSignals told(std::uint64_t quick, std::uint64_t slow, std::uint64_t active = 0) {
  RequestSignals::Series series{.kind = {.method = HttpMethod::get, .status = 200}, .times = {}};
  series.times.counts[0] = quick;
  series.times.counts[wire::RequestTimes::kBuckets - 1] = slow;
  series.times.milliseconds = static_cast<double>(quick) + static_cast<double>(slow) * 70'000;
  return {
      .requests =
          RequestSignals{.active = active, .aborted = slow, .upgrades = active, .series = {series}},
      .loop = wire::LoopTime{.idle = 10, .active = 5}};
}

std::string document(const ServerSignals& signals) {
  const std::array<ServerSignals::Named, 2> names = {ServerSignals::Named{kWeb, "web"},
                                                     ServerSignals::Named{kOther, "jobs"}};
  wire::Exposition out(wire::MetricsFormat::prometheus);
  signals.write(out, names);
  return std::move(out).finish();
}

bool has(const std::string& document, const std::string& line) {
  return ("\n" + document).find("\n" + line + "\n") != std::string::npos;
}

constexpr auto kDurations = "nodeinit_http_server_request_duration_seconds";
constexpr auto kGet200 =
    R"(program="web",http_request_method="GET",http_response_status_code="200")";

}  // namespace

TEST_CASE("the requests of a worker are those answered and those given up") {
  ServerSignals signals;
  CHECK_FALSE(signals.requests(kFirst));
  signals.told(kWeb, kFirst, told(5, 2));
  signals.told(kWeb, kSecond, told(1, 0));
  CHECK(signals.requests(kFirst) == 5 + 2 + 2);
  CHECK(signals.requests(kSecond) == 1);
  signals.gone(kFirst);
  CHECK_FALSE(signals.requests(kFirst));
}

TEST_CASE("requests of all workers are summed, and never fall when one ends") {
  ServerSignals signals;
  signals.told(kWeb, kFirst, told(10, 1, 3));
  signals.told(kWeb, kSecond, told(5, 0, 1));
  const std::string name = kDurations;
  std::string text = document(signals);
  CHECK(has(text, name + "_bucket{" + kGet200 + ",le=\"0.001\"} 15"));
  CHECK(has(text, name + "_bucket{" + kGet200 + ",le=\"60\"} 15"));
  CHECK(has(text, name + "_bucket{" + kGet200 + ",le=\"+Inf\"} 16"));
  CHECK(has(text, name + "_sum{" + kGet200 + "} 70.015"));
  CHECK(has(text, name + "_count{" + kGet200 + "} 16"));
  CHECK(has(text, R"(nodeinit_http_server_active_requests{program="web"} 4)"));
  CHECK(has(text, R"(nodeinit_http_server_aborted_requests_total{program="web"} 1)"));
  CHECK(signals.loop(kFirst)->active == 5);

  signals.gone(kFirst);
  signals.told(kWeb, kSecond, told(7, 0, 1));
  text = document(signals);
  CHECK(has(text, name + "_count{" + kGet200 + "} 18"));
  CHECK(has(text, R"(nodeinit_http_server_active_requests{program="web"} 1)"));
  CHECK(has(text, R"(nodeinit_http_server_upgraded_connections{program="web"} 1)"));
  CHECK_FALSE(signals.loop(kFirst));
}

TEST_CASE("a worker that takes back what it has told changes nothing") {
  ServerSignals signals;
  signals.told(kWeb, kFirst, told(10, 0));
  signals.told(kWeb, kFirst, told(2, 0));
  CHECK(has(document(signals), std::string(kDurations) + "_count{" + kGet200 + "} 10"));
}

TEST_CASE("a program that tells nothing of requests has no sample of them") {
  ServerSignals signals;
  signals.told(kOther, kFirst, {.requests = {}, .loop = wire::LoopTime{.idle = 1, .active = 2}});
  signals.told(kWeb, kSecond, told(1, 0));
  CHECK(document(signals).find("program=\"jobs\"") == std::string::npos);
  CHECK(signals.loop(kFirst)->idle == 1);
}

TEST_CASE("kinds of requests beyond the bound are counted by their class") {
  ServerSignals signals;
  for (std::uint16_t status = 100; status < 1000; ++status) {
    RequestSignals requests;
    requests.series.push_back({.kind = {.method = HttpMethod::get, .status = status}, .times = {}});
    requests.series[0].times.counts[0] = 1;
    signals.told(kWeb, Incarnation{status}, {.requests = requests, .loop = {}});
  }
  const std::string text = document(signals);
  const std::string count = std::string(kDurations) + "_count{";
  std::size_t samples = 0;
  std::uint64_t all = 0;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with(count)) continue;
    ++samples;
    all += *parse_number<std::uint64_t>(line.substr(line.rfind(' ') + 1));
  }
  CHECK(all == 900);
  CHECK(samples <= RequestSignals::kMostSeries + 9);
  CHECK(text.find(R"(http_request_method="_OTHER",http_response_status_code="9xx"})") !=
        std::string::npos);
}
