// Whatever a client sends: a request that says the same when it is written again, or a reason.

#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "wire/control_protocol.h"

using namespace ni::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_control_request(line)) {
    const auto again = parse_control_request(to_line(*request));
    FUZZ_REQUIRE(again && to_line(*again) == to_line(*request));
  } else {
    FUZZ_REQUIRE(!request.error().reason.empty());
  }
  if (const auto reply = parse_control_reply(line)) {
    FUZZ_REQUIRE(static_cast<bool>(parse_control_reply(to_line(*reply))));
  }
  return 0;
}
