#pragma once

// Metrics as text: the Prometheus format 0.0.4, or OpenMetrics 1.0
// (prometheus.io/docs/instrumenting/exposition_formats, openmetrics.io). The writer keeps what both
// ask of a document: one HELP and TYPE per family, its samples together, escapes, and in
// OpenMetrics the unit, `_total` on counters' samples only, and the end mark.
//
//   Exposition out(MetricsFormat::prometheus);
//   out.family("nodeinit_worker_deaths_total", MetricType::counter, "Workers that ended, by cause.");
//   out.sample({{"slot", "0"}, {"cause", "crashed"}}, 3);
//   out.finish()

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ni::wire {

enum class MetricsFormat : std::uint8_t { prometheus, open_metrics };
enum class MetricType : std::uint8_t { counter, gauge, histogram, summary, info, unknown };

using MetricLabel = std::pair<std::string_view, std::string_view>;

// By an Accept header (RFC 9110): OpenMetrics when it is asked for with at least the weight of
// plain text.
MetricsFormat choose_format(std::string_view accept);
std::string_view content_type(MetricsFormat format);

class Exposition {
 public:
  explicit Exposition(MetricsFormat format) : format_(format) {}

  // `name` as Prometheus shows it: a counter ends in _total, an info in _info.
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(std::span<const MetricLabel> labels, double value) { sample("", labels, value); }
  void sample(std::initializer_list<MetricLabel> labels, double value) {
    sample(std::span(labels.begin(), labels.size()), value);
  }
  // suffix: _bucket, _sum, _count of a histogram.
  void sample(std::string_view suffix, std::span<const MetricLabel> labels, double value);

  // The document; nothing is written after it.
  std::string finish() &&;

 private:
  MetricsFormat format_;
  std::string name_;
  std::string out_;
};

// "0.25", "3", "+Inf": the shortest text that reads back as the same number.
void append_number(std::string& out, double value);

}  // namespace ni::wire
