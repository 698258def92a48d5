#include "wire/worker_signals.h"

#include <algorithm>
#include <utility>

namespace ni::wire {
namespace {

constexpr std::array<std::string_view, 10> kMethods = {
    "_OTHER", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};

constexpr std::int64_t kMost = std::int64_t{1} << 53U;  // JavaScript's whole numbers
constexpr double kMostMilliseconds = 1e15;

std::uint64_t count_of(const Json& value) {
  const std::int64_t count = value.integer().value_or(0);
  return count > 0 && count <= kMost ? static_cast<std::uint64_t>(count) : 0;
}

std::optional<double> milliseconds_of(const Json& value) {
  const auto number = value.number();
  return number && *number >= 0 && *number <= kMostMilliseconds ? number : std::nullopt;
}

std::optional<RequestKind> kind_of(const Json& method, const Json& status) {
  const auto* const known =
      std::ranges::find_if(kMethods, [&](std::string_view name) { return method.equals(name); });
  const std::int64_t code = status.integer().value_or(0);
  if (known == kMethods.end() || code < 1 || code > 999 || (code > 9 && code < 100)) {
    return std::nullopt;
  }
  return RequestKind{.method = static_cast<HttpMethod>(known - kMethods.begin()),
                     .status = static_cast<std::uint16_t>(code)};
}

std::optional<RequestSignals::Series> series_of(const Json& one) {
  constexpr std::size_t kBefore = 3;
  const auto kind = kind_of(one.at(0), one.at(1));
  const auto milliseconds = milliseconds_of(one.at(2));
  if (!kind || !milliseconds || one.size() != kBefore + RequestTimes::kBuckets) {
    return std::nullopt;
  }
  RequestSignals::Series series{.kind = *kind, .times = {.milliseconds = *milliseconds}};
  for (std::size_t i = 0; i < RequestTimes::kBuckets; ++i) {
    series.times.counts[i] = count_of(one.at(kBefore + i));
  }
  return series;
}

RequestSignals requests_of(const Json& told) {
  RequestSignals requests{.active = count_of(told.at("active")),
                          .aborted = count_of(told.at("aborted")),
                          .upgrades = count_of(told.at("upgrades")),
                          .series = {}};
  const Json all = told.at("series");
  const std::size_t some = std::min(all.is_array() ? all.size() : 0, RequestSignals::kMostSeries);
  for (std::size_t i = 0; i < some; ++i) {
    if (auto series = series_of(all.at(i))) requests.series.push_back(*std::move(series));
  }
  return requests;
}

}  // namespace

std::string_view to_string(HttpMethod method) {
  return kMethods[static_cast<std::size_t>(method)];
}

WorkerSignals parse_worker_signals(const Json& message) {
  WorkerSignals signals;
  if (const Json told = message.at("requests"); told.is_object()) {
    signals.requests = requests_of(told);
  }
  const Json loop = message.at("loop");
  const auto idle = milliseconds_of(loop.at("idle"));
  const auto active = milliseconds_of(loop.at("active"));
  if (idle && active) signals.loop = LoopTime{.idle = *idle, .active = *active};
  return signals;
}

}  // namespace ni::wire
