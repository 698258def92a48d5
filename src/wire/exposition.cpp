#include "wire/exposition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/text.h"

namespace ni::wire {
namespace {

// Units that OpenMetrics wants named; the name of the family ends in one.
constexpr std::array<std::string_view, 5> kUnits = {"seconds", "bytes", "ratio", "cpus", "percent"};

std::string_view type_name(MetricType type, MetricsFormat format) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
    case MetricType::info:
      return format == MetricsFormat::open_metrics ? "info" : "gauge";
    case MetricType::summary:
      return "summary";
    case MetricType::unknown:
      break;
  }
  return format == MetricsFormat::open_metrics ? "unknown" : "untyped";
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char byte : text) {
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\\' || (quotes && byte == '"')) {
      out += '\\';
      out += byte;
    } else {
      out += byte;
    }
  }
}

// The weight of one media range of an Accept header: thousandths; 1000 without a q.
unsigned weight_of(std::string_view range) {
  for (const std::string_view part : split(range, ';')) {
    const std::string_view parameter = trim(part);
    if (!parameter.starts_with("q=")) continue;
    std::string digits(parameter.substr(2));
    if (digits.starts_with('1')) return 1000;
    if (!digits.starts_with("0.")) return 0;
    digits = digits.substr(2, 3);
    digits.resize(3, '0');
    return parse_number<unsigned>(digits).value_or(0);
  }
  return 1000;
}

}  // namespace

MetricsFormat choose_format(std::string_view accept) {
  unsigned open_metrics = 0;
  unsigned plain = 0;
  for (const std::string_view range : split(accept, ',')) {
    const std::string type = to_lower(trim(range.substr(0, range.find(';'))));
    if (type == "application/openmetrics-text") {
      open_metrics = std::max(open_metrics, weight_of(range));
    } else if (type == "text/plain") {
      plain = std::max(plain, weight_of(range));
    }
  }
  return open_metrics > 0 && open_metrics >= plain ? MetricsFormat::open_metrics
                                                   : MetricsFormat::prometheus;
}

std::string_view content_type(MetricsFormat format) {
  return format == MetricsFormat::open_metrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

void Exposition::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  std::string_view base = name;
  if (format_ == MetricsFormat::open_metrics) {
    // OpenMetrics, "MetricFamily": the suffix belongs to the sample, not to the family.
    if (type == MetricType::counter && base.ends_with("_total")) base.remove_suffix(6);
    if (type == MetricType::info && base.ends_with("_info")) base.remove_suffix(5);
  }
  fmt::format_to(std::back_inserter(out_), "# TYPE {} {}\n", base, type_name(type, format_));
  if (format_ == MetricsFormat::open_metrics) {
    for (const std::string_view unit : kUnits) {
      if (base.size() > unit.size() && base.ends_with(unit) &&
          base[base.size() - unit.size() - 1] == '_') {
        fmt::format_to(std::back_inserter(out_), "# UNIT {} {}\n", base, unit);
      }
    }
  }
  fmt::format_to(std::back_inserter(out_), "# HELP {} ", base);
  append_escaped(out_, help, format_ == MetricsFormat::open_metrics);
  out_ += '\n';
}

void Exposition::sample(std::string_view suffix, std::span<const MetricLabel> labels,
                        double value) {
  out_ += name_;
  out_ += suffix;
  char before = '{';
  for (const auto& [name, text] : labels) {
    out_ += before;
    out_ += name;
    out_ += "=\"";
    append_escaped(out_, text, true);
    out_ += '"';
    before = ',';
  }
  out_ += labels.empty() ? " " : "} ";
  append_number(out_, value);
  out_ += '\n';
}

std::string Exposition::finish() && {
  if (format_ == MetricsFormat::open_metrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace ni::wire
