#include "core/report/server_signals.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <vector>

namespace ni {
namespace {

using wire::MetricLabel;
using wire::MetricType;
using wire::RequestKind;
using wire::RequestTimes;

constexpr unsigned kClasses = 10;  // statuses below are classes

// What came since, of a count that only grows.
template <class Count>
Count fresh(Count now, Count& last) {
  return now - std::min(now, std::exchange(last, now));
}

std::string status_label(RequestKind kind) {
  return kind.status < kClasses ? std::to_string(kind.status) + "xx" : std::to_string(kind.status);
}

}  // namespace

RequestTimes& ServerSignals::place_for(Kinds& kinds, RequestKind kind) {
  const auto known = kinds.find(kind);
  if (known != kinds.end()) return known->second;
  if (kinds.size() >= wire::RequestSignals::kMostSeries && kind.status >= kClasses) {
    kind = {.method = wire::HttpMethod::other,
            .status = static_cast<std::uint16_t>(kind.status / 100)};
  } else if (kind.status < kClasses) {
    kind.method = wire::HttpMethod::other;
  }
  return kinds[kind];
}

void ServerSignals::add(OfProgram& sum, OfWorker& worker, const wire::RequestSignals& told) {
  for (const auto& [kind, times] : told.series) {
    RequestTimes& last = place_for(worker.kinds, kind);
    RequestTimes& all = place_for(sum.kinds, kind);
    all.milliseconds += fresh(times.milliseconds, last.milliseconds);
    for (std::size_t i = 0; i < RequestTimes::kBuckets; ++i) {
      all.counts[i] += fresh(times.counts[i], last.counts[i]);
    }
  }
  sum.aborted += fresh(told.aborted, worker.aborted);
  worker.active = told.active;
  worker.upgrades = told.upgrades;
}

void ServerSignals::told(ProgramId program, Incarnation worker,
                         const wire::WorkerSignals& signals) {
  if (!signals.requests && !signals.loop) return;
  OfWorker& of = workers_[worker];
  of.program = program;
  if (signals.requests) add(programs_[program], of, *signals.requests);
  if (signals.loop) of.loop = signals.loop;
}

void ServerSignals::gone(Incarnation worker) {
  workers_.erase(worker);
}

std::optional<std::uint64_t> ServerSignals::requests(Incarnation worker) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return std::nullopt;
  std::uint64_t sum = found->second.aborted;
  for (const auto& [kind, times] : found->second.kinds) {
    sum = std::accumulate(times.counts.begin(), times.counts.end(), sum);
  }
  return sum;
}

std::optional<wire::LoopTime> ServerSignals::loop(Incarnation worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? std::nullopt : found->second.loop;
}

std::uint64_t ServerSignals::sum_of(ProgramId program, std::uint64_t OfWorker::*figure) const {
  return std::accumulate(workers_.begin(), workers_.end(), std::uint64_t{0},
                         [&](std::uint64_t sum, const auto& entry) {
                           return sum +
                                  (entry.second.program == program ? entry.second.*figure : 0);
                         });
}

void ServerSignals::write_durations(wire::Exposition& out, std::span<const Named> programs) const {
  constexpr double kMilliseconds = 1000;
  std::array<std::string, RequestTimes::kBuckets> bounds;
  for (std::size_t i = 0; i < RequestTimes::kBuckets; ++i) {
    wire::append_number(bounds[i],
                        i < RequestTimes::kBounds.size()
                            ? std::chrono::duration<double>(RequestTimes::kBounds[i]).count()
                            : std::numeric_limits<double>::infinity());
  }
  out.family("nodeinit_http_server_request_duration_seconds", MetricType::histogram,
             "HTTP requests that the program's workers have answered, by the time that it took "
             "(as the modules inside them tell).");
  for (const auto& [program, name] : programs) {
    const auto found = programs_.find(program);
    if (found == programs_.end()) continue;
    for (const auto& [kind, times] : found->second.kinds) {
      const std::string status = status_label(kind);
      std::array<MetricLabel, 4> labels{MetricLabel{"program", name},
                                        {"http_request_method", wire::to_string(kind.method)},
                                        {"http_response_status_code", status},
                                        {"le", ""}};
      const auto without_bound = std::span(labels).first(labels.size() - 1);
      std::uint64_t so_far = 0;
      for (std::size_t i = 0; i < RequestTimes::kBuckets; ++i) {
        so_far += times.counts[i];
        labels.back().second = bounds[i];
        out.sample("_bucket", labels, static_cast<double>(so_far));
      }
      out.sample("_sum", without_bound, times.milliseconds / kMilliseconds);
      out.sample("_count", without_bound, static_cast<double>(so_far));
    }
  }
}

void ServerSignals::write(wire::Exposition& out, std::span<const Named> programs) const {
  write_durations(out, programs);
  const auto each = [&](auto value) {
    for (const auto& [program, name] : programs) {
      const auto found = programs_.find(program);
      if (found != programs_.end()) {
        out.sample({{"program", name}}, static_cast<double>(value(program, found->second)));
      }
    }
  };
  out.family("nodeinit_http_server_active_requests", MetricType::gauge,
             "HTTP requests that the program's workers have begun and not ended.");
  each([&](ProgramId program, const OfProgram&) { return sum_of(program, &OfWorker::active); });
  out.family("nodeinit_http_server_aborted_requests_total", MetricType::counter,
             "HTTP requests whose connection ended before their answer was complete.");
  each([](ProgramId, const OfProgram& of) { return of.aborted; });
  out.family("nodeinit_http_server_upgraded_connections", MetricType::gauge,
             "Connections open that an HTTP request has turned into something else (WebSocket).");
  each([&](ProgramId program, const OfProgram&) { return sum_of(program, &OfWorker::upgrades); });
}

}  // namespace ni
