// What workers tell of themselves, one line each: whatever they say, totals never fall, and the
// document stays one that a Prometheus server reads, of a bounded size.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/text.h"
#include "core/report/server_signals.h"
#include "fuzz/require.h"
#include "wire/cluster_messages.h"

using namespace ni;

namespace {

constexpr std::size_t kMostLines = 6000;

std::string document(const ServerSignals& signals, wire::MetricsFormat format) {
  const ServerSignals::Named names[] = {{{0}, "web"}, {{1}, "jobs"}};
  wire::Exposition out(format);
  signals.write(out, names);
  return std::move(out).finish();
}

std::map<std::string, double> totals(const ServerSignals& signals) {
  std::map<std::string, double> found;
  std::size_t lines = 0;
  const std::string text = document(signals, wire::MetricsFormat::prometheus);
  for (const std::string_view line : split(text, '\n')) {
    ++lines;
    if (line.empty() || line.starts_with("# ")) continue;
    FUZZ_REQUIRE(line.starts_with("nodeinit_http_server_"));
    const std::size_t blank = line.rfind(' ');
    FUZZ_REQUIRE(blank != std::string_view::npos);
    const double value = std::stod(std::string(line.substr(blank + 1)));
    FUZZ_REQUIRE(value >= 0);
    const bool grows = line.find("_seconds_") != std::string_view::npos ||
                       line.find("_total{") != std::string_view::npos;
    if (grows) found.emplace(line.substr(0, blank), value);
  }
  FUZZ_REQUIRE(lines < kMostLines);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ServerSignals signals;
  std::uint32_t worker = 0;
  std::map<std::string, double> before;
  for (const std::string_view line : split(text, '\n')) {
    const Incarnation from{++worker % 3};
    const auto message = wire::parse_worker_message(line);
    const auto* const told = message ? std::get_if<wire::ConnectionsCounted>(&*message) : nullptr;
    if (told != nullptr) {
      signals.told({from.value % 2}, from, told->signals);
    } else {
      signals.gone(from);
    }
    auto now = totals(signals);
    for (const auto& [name, value] : before) FUZZ_REQUIRE(now.contains(name) && now[name] >= value);
    before = std::move(now);
  }
  (void)document(signals, wire::MetricsFormat::open_metrics);
  return 0;
}
