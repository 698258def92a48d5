#pragma once

// The workers' own metrics (prom-client's, wire/prom_client.h), merged into one set: of samples with
// the same name and labels, what the metric's aggregator makes of them. prom-client 15,
// lib/metricAggregators.js: sum, first, min, max, average, omit. A value that JSON cannot carry (NaN,
// an infinity) comes as null and counts as 0, as there.
//
// What only ever grows (counters, the counts and sums of histograms and summaries) should do so when
// a worker ends, too: to Prometheus a total that shrinks has begun anew at 0, and all that is left of
// it would count as new. keep_counts() and continue_from() carry it on.
//
// Left out, since a document with them would not be read: names that are none, and those of
// nodeinit itself; samples whose name does not begin with their metric's.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/exposition.h"
#include "wire/json.h"

namespace ni {

class WorkerMetrics {
 public:
  static constexpr std::size_t kMostSamples = 100'000;  // of all workers; more are left out

  // `registries`: what one worker answered. `program` becomes a label; empty: there is only one.
  void add(std::string_view program, const wire::Json& registries);
  // What another one has comes to this.
  void merge(const WorkerMetrics& other);
  // All else goes: what only grows, and is merged by `sum`.
  void keep_counts();
  // Adds what workers have counted that are no more, to the samples that are here. A sample that no
  // worker has any more stays away, so that labels of single workers (a pid) do not add up.
  void continue_from(const WorkerMetrics& ended);
  void write(wire::Exposition& out, wire::MetricsFormat format) const;
  std::size_t samples() const { return samples_; }

 private:
  enum class Aggregator : std::uint8_t { sum, first, min, max, average, omit };
  using Labels = std::vector<std::pair<std::string, std::string>>;
  struct Sample {
    std::string suffix;
    Labels labels;
    double sum = 0;
    double first = 0;
    double least = 0;
    double greatest = 0;
    unsigned count = 0;
  };
  struct Family {
    std::string name;
    std::string help;
    wire::MetricType type;
    Aggregator aggregator;
    std::vector<Sample> samples;  // in the order they were first seen
    std::map<std::string, std::size_t> by_labels;
  };
  Family* family_of(const wire::Json& metric);
  Family& family_like(const Family& other);
  void add_sample(Family& family, std::string_view program, const wire::Json& value);
  Sample* sample_like(Family& family, const Sample& other);  // nullptr: there are too many
  static std::string key_of(const Sample& sample);
  static bool only_grows(const Family& family, const Sample& sample);
  static double value_of(const Sample& sample, Aggregator aggregator);

  std::vector<Family> families_;  // in the order they were first seen
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::size_t samples_ = 0;
};

}  // namespace ni
