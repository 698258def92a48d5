// Answers of workers to the question for their metrics, one a line: whatever they say, the document
// made of it must stay one that a Prometheus server reads.

#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "core/report/worker_metrics.h"
#include "fuzz/require.h"
#include "wire/prom_client.h"

using namespace ni;

namespace {

void check(std::string_view document, bool open_metrics) {
  for (std::string_view line : split(document, '\n')) {
    if (line.empty() || line.starts_with("# TYPE ") || line.starts_with("# HELP ") ||
        line.starts_with("# UNIT ") || (open_metrics && line == "# EOF")) {
      continue;
    }
    const char first = line.front();
    FUZZ_REQUIRE((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' ||
                 first == ':');
    FUZZ_REQUIRE(!line.starts_with("nodeinit_"));
    FUZZ_REQUIRE(line.find(' ') != std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  WorkerMetrics metrics;
  WorkerMetrics ended;
  bool several = false;
  for (const std::string_view line : split(text, '\n')) {
    if (const auto answer = wire::parse_prom_client_answer(line)) {
      WorkerMetrics one;
      one.add(several ? "other" : "", answer->registries);
      metrics.merge(one);
      one.keep_counts();
      ended.merge(one);
    }
    several = !several;
  }
  metrics.continue_from(ended);
  for (const auto format : {wire::MetricsFormat::prometheus, wire::MetricsFormat::open_metrics}) {
    wire::Exposition out(format);
    metrics.write(out, format);
    check(std::move(out).finish(), format == wire::MetricsFormat::open_metrics);
  }
  return 0;
}
