#pragma once

// How a primary asks the workers for the metrics of prom-client (npm), and what they answer:
// prom-client 15, lib/cluster.js. A worker answers once it has made an AggregatorRegistry; any other
// program sees a message that it does not know.
//
//   {"type":"prom-client:getMetricsReq","requestId":7}
//   {"type":"prom-client:getMetricsRes","requestId":7,"metrics":[[{"name":…,"values":[…]},…],…]}
//   {"type":"prom-client:getMetricsRes","requestId":7,"error":"…"}

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/json.h"

namespace ni::wire {

// A line, with its end.
std::string prom_client_request(std::int64_t id);

struct PromClientAnswer {
  std::int64_t request = 0;
  Json registries;  // an array of arrays of metrics
};
// Errors (code 0): no JSON, not of this form, or the worker's own error.
Result<PromClientAnswer> parse_prom_client_answer(std::string_view line);

}  // namespace ni::wire
