#include "wire/prom_client.h"

#include "base/text.h"
#include "wire/node_ipc.h"

namespace ni::wire {
namespace {

Error unusable(std::string reason) {
  return Error{.operation = "use",
               .subject = "the worker's metrics",
               .code = 0,
               .reason = std::move(reason)};
}

}  // namespace

std::string prom_client_request(std::int64_t id) {
  return Json::object({{"type", "prom-client:getMetricsReq"}, {"requestId", id}}).text() + "\n";
}

Result<PromClientAnswer> parse_prom_client_answer(std::string_view line) {
  if (line.empty()) {
    return unusable("more than " + std::to_string(kLongestMetricsLine) + " bytes");
  }
  NI_TRY(const Json json, Json::parse(line, {.bytes = kLongestMetricsLine}));
  const auto request = json.at("requestId").integer();
  if (!request) {
    return unusable("no requestId");
  }
  if (const auto error = json.at("error").string()) {
    return unusable(printable(*error, 200));
  }
  PromClientAnswer answer{.request = *request, .registries = json.at("metrics")};
  if (!answer.registries.is_array()) {
    return unusable("no metrics");
  }
  return answer;
}

}  // namespace ni::wire
