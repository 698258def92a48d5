#include "core/report/worker_metrics.h"

#include <string>

#include "base/text.h"
#include "support/catch.h"

using namespace ni;
using wire::Exposition;
using wire::Json;
using wire::MetricsFormat;

namespace {

Json parsed(std::string_view text) {
  const auto json = Json::parse(text);
  REQUIRE(json);
  return *json;
}

std::string text_of(const WorkerMetrics& metrics,
                    MetricsFormat format = MetricsFormat::prometheus) {
  Exposition out(format);
  metrics.write(out, format);
  return std::move(out).finish();
}

// Two workers with one gauge of the aggregator; its value with both.
std::string merged(std::string_view aggregator, std::string_view one, std::string_view other) {
  WorkerMetrics metrics;
  for (const std::string_view value : {one, other}) {
    metrics.add("", parsed(R"([[{"name":"g","help":"h","type":"gauge","aggregator":")" +
                           std::string(aggregator) + R"(","values":[{"value":)" +
                           std::string(value) + R"(,"labels":{}}]}]])"));
  }
  const std::string text = text_of(metrics);
  const auto at = text.rfind("g ");
  return text.empty() ? "" : text.substr(at + 2, text.size() - at - 3);
}

}  // namespace

TEST_CASE("samples with the same labels become what the aggregator makes of them") {
  CHECK(merged("sum", "1", "2.5") == "3.5");
  CHECK(merged("first", "4", "2") == "4");
  CHECK(merged("min", "4", "2") == "2");
  CHECK(merged("max", "4", "2") == "4");
  CHECK(merged("average", "4", "2") == "3");
  CHECK(merged("omit", "4", "2").empty());
  CHECK(merged("unheard-of", "4", "2").empty());
  CHECK(merged("sum", "null", "2") == "2");
  CHECK(merged("min", "null", "2") == "0");
  CHECK(merged("first", "null", "2") == "NaN");
}

TEST_CASE("the order of labels and whether they are numbers does not tell samples apart") {
  WorkerMetrics metrics;
  metrics.add("", parsed(R"([[{"name":"c_total","help":"a \\ b\nc","type":"counter","values":[
      {"value":1,"labels":{"code":200,"path":"/\"x\""}}, {"value":5,"labels":{}}]}]])"));
  metrics.add("", parsed(R"([[{"name":"c_total","help":"h","type":"counter","values":[
      {"value":2,"labels":{"path":"/\"x\"","code":"200"}}]}]])"));
  CHECK(text_of(metrics) ==
        "# TYPE c_total counter\n# HELP c_total a \\\\ b\\nc\n"
        "c_total{code=\"200\",path=\"/\\\"x\\\"\"} 3\nc_total 5\n");
}

TEST_CASE("histograms and summaries keep the names of their samples") {
  WorkerMetrics metrics;
  for (int i = 0; i < 2; ++i) {
    metrics.add("",
                parsed(R"([[{"name":"t","help":"h","type":"histogram","aggregator":"sum","values":[
        {"metricName":"t_bucket","labels":{"le":0.5},"value":1}, {"metricName":"t_bucket","labels":{"le":"+Inf"},"value":2},
        {"metricName":"t_sum","labels":{},"value":0.75}, {"metricName":"t_count","labels":{},"value":2}]}],
      [{"name":"s","help":"h","type":"summary","aggregator":"sum","values":[
        {"labels":{"quantile":0.5},"value":1}, {"metricName":"s_count","labels":{},"value":2}]}]])"));
  }
  CHECK(text_of(metrics) ==
        "# TYPE t histogram\n# HELP t h\nt_bucket{le=\"0.5\"} 2\nt_bucket{le=\"+Inf\"} 4\nt_sum "
        "1.5\nt_count 4\n"
        "# TYPE s summary\n# HELP s h\ns{quantile=\"0.5\"} 2\ns_count 4\n");
}

TEST_CASE("in OpenMetrics the samples of a counter end in _total") {
  WorkerMetrics metrics;
  metrics.add(
      "",
      parsed(
          R"([[{"name":"hits","help":"h","type":"counter","values":[{"value":1,"labels":{}}]}]])"));
  CHECK(text_of(metrics, MetricsFormat::open_metrics) ==
        "# TYPE hits counter\n# HELP hits h\nhits_total 1\n# EOF\n");
  CHECK(text_of(metrics) == "# TYPE hits counter\n# HELP hits h\nhits 1\n");
}

TEST_CASE("of several programs each sample says which") {
  WorkerMetrics metrics;
  for (const char* const program : {"api", "jobs"}) {
    metrics.add(program, parsed(R"([[{"name":"g","help":"","type":"gauge","values":[
        {"value":1,"labels":{"program":"mine"}}]}]])"));
  }
  CHECK(text_of(metrics) ==
        "# TYPE g gauge\n# HELP g \ng{program=\"api\"} 1\ng{program=\"jobs\"} 1\n");
}

TEST_CASE("what no reader of the document would take is left out") {
  WorkerMetrics metrics;
  metrics.add("", parsed(R"([[
      {"name":"nodeinit_ready","help":"","type":"gauge","values":[{"value":1,"labels":{}}]},
      {"name":"a b","type":"gauge","values":[{"value":1,"labels":{}}]},
      {"name":7}, {}, 3, null,
      {"name":"ok","type":"gauge","values":[{"value":1,"labels":{"a-b":"c"}}, {"metricName":"other","value":1},
         {"metricName":"ok x","value":1}, {"metricName":"ok_\n","value":1}, {}, 9]}], 5, "x"])"));
  CHECK(text_of(metrics) ==
        "# TYPE ok gauge\n# HELP ok \nok 0\n");  // of {}: no value is 0, as in JavaScript
}

TEST_CASE("there is a bound on the samples of all workers") {
  WorkerMetrics metrics;
  for (int worker = 0; worker < 11; ++worker) {
    std::string text = R"([[{"name":"g","type":"gauge","values":[)";
    for (int i = 0; i < 10'000; ++i) {
      text += std::string(i > 0 ? "," : "") + R"({"value":1,"labels":{"i":)" +
              std::to_string(worker * 10'000 + i) + "}}";
    }
    metrics.add("", parsed(text + "]}]]"));
  }
  CHECK(metrics.samples() == WorkerMetrics::kMostSamples);
}

TEST_CASE("what workers counted that are gone goes on, for samples that somebody has still") {
  WorkerMetrics ended;
  ended.add("", parsed(R"([[
      {"name":"c_total","type":"counter","values":[{"value":5,"labels":{}},{"value":9,"labels":{"pid":"7"}}]},
      {"name":"g","type":"gauge","values":[{"value":5,"labels":{}}]},
      {"name":"m_total","type":"counter","aggregator":"max","values":[{"value":5,"labels":{}}]},
      {"name":"was_total","type":"counter","values":[{"value":5,"labels":{}}]},
      {"name":"t","type":"histogram","values":[{"metricName":"t_bucket","labels":{"le":1},"value":2}]},
      {"name":"s","type":"summary","values":[{"labels":{"quantile":0.5},"value":4},
        {"metricName":"s_sum","labels":{},"value":3}]}]])"));
  ended.keep_counts();
  CHECK(ended.samples() == 5);
  WorkerMetrics twice;
  twice.merge(ended);
  twice.merge(ended);
  WorkerMetrics live;
  live.add("", parsed(R"([[
      {"name":"c_total","type":"counter","values":[{"value":1,"labels":{}},{"value":1,"labels":{"pid":"8"}}]},
      {"name":"g","type":"gauge","values":[{"value":1,"labels":{}}]},
      {"name":"m_total","type":"counter","aggregator":"max","values":[{"value":1,"labels":{}}]},
      {"name":"was_total","type":"gauge","values":[{"value":1,"labels":{}}]},
      {"name":"t","type":"histogram","values":[{"metricName":"t_bucket","labels":{"le":1},"value":1}]},
      {"name":"s","type":"summary","values":[{"labels":{"quantile":0.5},"value":1},
        {"metricName":"s_sum","labels":{},"value":1}]}]])"));
  live.continue_from(twice);
  const std::string text = text_of(live);
  std::string samples;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with('#')) samples += std::string(line) + '\n';
  }
  CHECK(samples ==
        "c_total 11\nc_total{pid=\"8\"} 1\ng 1\nm_total 1\nwas_total 1\n"
        "t_bucket{le=\"1\"} 5\ns{quantile=\"0.5\"} 1\ns_sum 7\n\n");
}

TEST_CASE("to merge two sets is to add what is in them") {
  for (const std::string_view aggregator : {"sum", "first", "min", "max", "average"}) {
    WorkerMetrics at_once;
    WorkerMetrics by_sets;
    for (const std::string_view value : {"4", "null", "1"}) {
      const Json answer = parsed(R"([[{"name":"g","help":"h","type":"gauge","aggregator":")" +
                                 std::string(aggregator) + R"(","values":[{"value":)" +
                                 std::string(value) + R"(,"labels":{}}]}]])");
      at_once.add("", answer);
      WorkerMetrics one;
      one.add("", answer);
      by_sets.merge(one);
    }
    CHECK(text_of(by_sets) == text_of(at_once));
  }
}
