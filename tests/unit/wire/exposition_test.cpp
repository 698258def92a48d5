#include "wire/exposition.h"

#include <limits>

#include "support/catch.h"

using namespace ni::wire;

namespace {

std::string document(MetricsFormat format) {
  Exposition out(format);
  out.family("a_seconds_total", MetricType::counter, "Help \\ \"me\".\nTwice.");
  out.sample({{"slot", "0"}, {"name", "a\"b\\c\nd"}}, 0.25);
  out.sample({}, 3);
  out.family("b_info", MetricType::info, "B.");
  out.sample({{"version", "1"}}, 1);
  return std::move(out).finish();
}

}  // namespace

TEST_CASE("the Prometheus format has one head per family and escaped labels") {
  CHECK(document(MetricsFormat::prometheus) ==
        "# TYPE a_seconds_total counter\n"
        "# HELP a_seconds_total Help \\\\ \"me\".\\nTwice.\n"
        "a_seconds_total{slot=\"0\",name=\"a\\\"b\\\\c\\nd\"} 0.25\n"
        "a_seconds_total 3\n"
        "# TYPE b_info gauge\n"
        "# HELP b_info B.\n"
        "b_info{version=\"1\"} 1\n");
}

TEST_CASE("OpenMetrics names family, unit and end") {
  CHECK(document(MetricsFormat::open_metrics) ==
        "# TYPE a_seconds counter\n"
        "# UNIT a_seconds seconds\n"
        "# HELP a_seconds Help \\\\ \\\"me\\\".\\nTwice.\n"
        "a_seconds_total{slot=\"0\",name=\"a\\\"b\\\\c\\nd\"} 0.25\n"
        "a_seconds_total 3\n"
        "# TYPE b info\n"
        "# HELP b B.\n"
        "b_info{version=\"1\"} 1\n"
        "# EOF\n");
}

TEST_CASE("the Accept header chooses the format") {
  using F = MetricsFormat;
  CHECK(choose_format("") == F::prometheus);
  CHECK(choose_format("*/*") == F::prometheus);
  CHECK(choose_format("text/html,application/xhtml+xml,*/*;q=0.8") == F::prometheus);
  CHECK(
      choose_format("application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5") ==
      F::open_metrics);
  CHECK(choose_format("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;q=0.5") ==
        F::prometheus);
  CHECK(choose_format("application/openmetrics-text;q=0") == F::prometheus);
}

TEST_CASE("numbers are written shortest, infinities by name") {
  std::string out;
  for (const double value : {0.1, 1e300, -2.0, std::numeric_limits<double>::infinity()}) {
    append_number(out, value);
    out += ' ';
  }
  CHECK(out == "0.1 1e+300 -2 +Inf ");
}
