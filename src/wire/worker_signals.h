#pragma once

// The golden signals of a worker, as its module inside tells them with the number of its connections
// (src/inside/requests.cjs): all since the worker began, by numbers alone. A worker is not trusted:
// what is none of this form is left out, and of the rest there is a bound.
//
//   "loop":{"idle":<ms>,"active":<ms>},
//   "requests":{"active":1,"aborted":2,"upgrades":0,"series":[["GET",200,<ms in all>,<count of each bucket>…],…]}

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "wire/json.h"

namespace ni::wire {

// OpenTelemetry's known methods; what else a client asks by is `other`.
enum class HttpMethod : std::uint8_t {
  other,
  get,
  head,
  post,
  put,
  patch,
  del,
  options,
  trace,
  connect
};
std::string_view to_string(HttpMethod method);  // "GET", "_OTHER"

struct RequestKind {
  HttpMethod method = HttpMethod::other;
  std::uint16_t status = 0;  // 100…999; 1…9: of that class, where there are too many
  constexpr auto operator<=>(const RequestKind&) const = default;
};

struct RequestTimes {
  // The upper bounds of all buckets but the last.
  static constexpr std::array<Duration, 15> kBounds = {
      std::chrono::microseconds(1000),  std::chrono::microseconds(2500),
      std::chrono::milliseconds(5),     std::chrono::milliseconds(10),
      std::chrono::milliseconds(25),    std::chrono::milliseconds(50),
      std::chrono::milliseconds(100),   std::chrono::milliseconds(250),
      std::chrono::milliseconds(500),   std::chrono::milliseconds(1000),
      std::chrono::milliseconds(2500),  std::chrono::milliseconds(5000),
      std::chrono::milliseconds(10000), std::chrono::milliseconds(30000),
      std::chrono::milliseconds(60000)};
  static constexpr std::size_t kBuckets = kBounds.size() + 1;
  std::array<std::uint64_t, kBuckets> counts{};
  double milliseconds = 0;  // in all
};

struct RequestSignals {
  static constexpr std::size_t kMostSeries = 128;  // more than the module has
  struct Series {
    RequestKind kind;
    RequestTimes times;
  };
  std::uint64_t active = 0;
  std::uint64_t aborted = 0;   // their connection ended before the answer was complete
  std::uint64_t upgrades = 0;  // connections open that are no longer HTTP
  std::vector<Series> series;
};

struct LoopTime {
  double idle = 0;    // milliseconds
  double active = 0;  // the same
};

struct WorkerSignals {
  std::optional<RequestSignals> requests;
  std::optional<LoopTime> loop;
};

WorkerSignals parse_worker_signals(const Json& message);

}  // namespace ni::wire
