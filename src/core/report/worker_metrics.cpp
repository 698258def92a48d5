#include "core/report/worker_metrics.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/text.h"

namespace ni {
namespace {

using wire::Json;
using wire::MetricType;

constexpr std::string_view kOwnPrefix = "nodeinit_";

bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}
bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// prometheus.io/docs/concepts/data_model: [a-zA-Z_:][a-zA-Z0-9_:]*, labels without colons.
bool is_name(std::string_view text, bool of_label) {
  return !text.empty() && !is_digit(text.front()) && std::ranges::all_of(text, [&](char byte) {
    return is_letter(byte) || is_digit(byte) || (byte == ':' && !of_label);
  });
}

MetricType type_of(const Json& metric) {
  const Json type = metric.at("type");
  return type.equals("counter")     ? MetricType::counter
         : type.equals("gauge")     ? MetricType::gauge
         : type.equals("histogram") ? MetricType::histogram
         : type.equals("summary")   ? MetricType::summary
                                    : MetricType::unknown;
}

// As JavaScript's String() writes it.
std::string text_of(const Json& value) {
  if (const auto text = value.string()) return *text;
  if (const auto whole = value.integer()) return std::to_string(*whole);
  if (const auto yes = value.boolean()) return *yes ? "true" : "false";
  std::string text;
  if (const auto number = value.number()) wire::append_number(text, *number);
  return text;
}

}  // namespace

WorkerMetrics::Family* WorkerMetrics::family_of(const Json& metric) {
  const auto name = metric.at("name").string();
  if (!name || !is_name(*name, false) || name->starts_with(kOwnPrefix)) return nullptr;
  if (const auto known = by_name_.find(*name); known != by_name_.end()) {
    return &families_[known->second];
  }
  constexpr auto kAggregators =
      std::to_array<std::pair<std::string_view, Aggregator>>({{"sum", Aggregator::sum},
                                                              {"first", Aggregator::first},
                                                              {"min", Aggregator::min},
                                                              {"max", Aggregator::max},
                                                              {"average", Aggregator::average}});
  const Json called = metric.at("aggregator");
  const auto* const known = std::ranges::find_if(
      kAggregators, [&](const auto& entry) { return called.equals(entry.first); });
  // Without one it is `sum` (lib/metric.js); one that we do not know cannot be guessed.
  const Aggregator aggregator = known != kAggregators.end() ? known->second
                                : !called                   ? Aggregator::sum
                                                            : Aggregator::omit;
  return &family_like({.name = *name,
                       .help = metric.at("help").string().value_or(""),
                       .type = type_of(metric),
                       .aggregator = aggregator,
                       .samples = {},
                       .by_labels = {}});
}

WorkerMetrics::Family& WorkerMetrics::family_like(const Family& other) {
  const auto [known, is_new] = by_name_.emplace(other.name, families_.size());
  if (is_new) {
    families_.push_back({.name = other.name,
                         .help = other.help,
                         .type = other.type,
                         .aggregator = other.aggregator,
                         .samples = {},
                         .by_labels = {}});
  }
  return families_[known->second];
}

std::string WorkerMetrics::key_of(const Sample& sample) {
  Labels sorted = sample.labels;
  std::ranges::sort(sorted);
  std::string key = sample.suffix;
  for (const auto& [name, text] : sorted) {
    key.append(1, '\0').append(name).append(1, '\0').append(text);
  }
  return key;
}

// Its name and labels, with nothing counted if it is new.
WorkerMetrics::Sample* WorkerMetrics::sample_like(Family& family, const Sample& other) {
  std::string key = key_of(other);
  if (const auto known = family.by_labels.find(key); known != family.by_labels.end()) {
    return &family.samples[known->second];
  }
  if (samples_ >= kMostSamples) return nullptr;
  ++samples_;
  family.by_labels.emplace(std::move(key), family.samples.size());
  family.samples.push_back({.suffix = other.suffix, .labels = other.labels});
  return &family.samples.back();
}

void WorkerMetrics::add_sample(Family& family, std::string_view program, const Json& value) {
  Sample sample;
  const std::string called = value.at("metricName").string().value_or(family.name);
  if (!called.starts_with(family.name)) return;
  sample.suffix = called.substr(family.name.size());
  if (!sample.suffix.empty() && !is_name(sample.suffix, true)) return;
  for (const auto& [name, text] : value.at("labels").members()) {
    if (!is_name(name, true)) return;
    sample.labels.emplace_back(name, text_of(text));
  }
  if (!program.empty()) {
    std::erase_if(sample.labels, [](const auto& label) { return label.first == "program"; });
    sample.labels.emplace_back("program", program);
  }
  Sample* const found = sample_like(family, sample);
  if (found == nullptr) return;
  Sample& of = *found;
  const auto number = value.at("value").number();
  const double counted = number.value_or(0);
  if (of.count++ == 0) {
    of.first = number.value_or(std::numeric_limits<double>::quiet_NaN());
    of.least = of.greatest = counted;
  }
  of.sum += counted;
  of.least = std::min(of.least, counted);
  of.greatest = std::max(of.greatest, counted);
}

void WorkerMetrics::add(std::string_view program, const Json& registries) {
  for (std::size_t r = 0; r < registries.size(); ++r) {
    const Json registry = registries.at(r);
    for (std::size_t m = 0; m < registry.size(); ++m) {
      const Json metric = registry.at(m);
      Family* const family = family_of(metric);
      if (family == nullptr || family->aggregator == Aggregator::omit) continue;
      const Json values = metric.at("values");
      for (std::size_t v = 0; v < values.size(); ++v) add_sample(*family, program, values.at(v));
    }
  }
}

void WorkerMetrics::merge(const WorkerMetrics& other) {
  for (const Family& theirs : other.families_) {
    Family& family = family_like(theirs);
    for (const Sample& sample : theirs.samples) {
      Sample* const of = sample_like(family, sample);
      if (of == nullptr) return;
      const bool is_first = of->count == 0;
      of->first = is_first ? sample.first : of->first;
      of->least = is_first ? sample.least : std::min(of->least, sample.least);
      of->greatest = is_first ? sample.greatest : std::max(of->greatest, sample.greatest);
      of->sum += sample.sum;
      of->count += sample.count;
    }
  }
}

// Of a summary the quantiles are values of now.
bool WorkerMetrics::only_grows(const Family& family, const Sample& sample) {
  if (family.aggregator != Aggregator::sum) return false;
  if (family.type == MetricType::summary) {
    return sample.suffix == "_sum" || sample.suffix == "_count";
  }
  return family.type == MetricType::counter || family.type == MetricType::histogram;
}

void WorkerMetrics::keep_counts() {
  WorkerMetrics counts;
  for (const Family& family : families_) {
    for (const Sample& sample : family.samples) {
      if (!only_grows(family, sample)) continue;
      Sample* const kept = counts.sample_like(counts.family_like(family), sample);
      if (kept != nullptr) *kept = sample;
    }
  }
  *this = std::move(counts);
}

void WorkerMetrics::continue_from(const WorkerMetrics& ended) {
  for (Family& family : families_) {
    const auto known = ended.by_name_.find(family.name);
    if (known == ended.by_name_.end()) continue;
    const Family& theirs = ended.families_[known->second];
    if (theirs.type != family.type) continue;  // newer code means another thing by this name
    for (Sample& sample : family.samples) {
      const auto same = only_grows(family, sample) ? theirs.by_labels.find(key_of(sample))
                                                   : theirs.by_labels.end();
      if (same != theirs.by_labels.end()) sample.sum += theirs.samples[same->second].sum;
    }
  }
}

double WorkerMetrics::value_of(const Sample& sample, Aggregator aggregator) {
  switch (aggregator) {
    case Aggregator::first:
      return sample.first;
    case Aggregator::min:
      return sample.least;
    case Aggregator::max:
      return sample.greatest;
    case Aggregator::average:
      return sample.sum / sample.count;
    case Aggregator::sum:
    case Aggregator::omit:
      break;
  }
  return sample.sum;
}

void WorkerMetrics::write(wire::Exposition& out, wire::MetricsFormat format) const {
  for (const Family& family : families_) {
    if (family.aggregator == Aggregator::omit) continue;
    // In OpenMetrics the samples of a counter must end so; prom-client adds it there, too.
    const bool add_total = format == wire::MetricsFormat::open_metrics &&
                           family.type == MetricType::counter && !family.name.ends_with("_total");
    out.family(add_total ? family.name + "_total" : family.name, family.type, family.help);
    std::vector<wire::MetricLabel> labels;
    for (const Sample& sample : family.samples) {
      labels.assign(sample.labels.begin(), sample.labels.end());
      out.sample(sample.suffix, labels, value_of(sample, family.aggregator));
    }
  }
}

}  // namespace ni
