// What a messenger below a command sends, and the rights of a process there, which it may shape by its name.

#include <cstdint>
#include <string_view>

#include "app/adoption/adopted.h"
#include "app/adoption/rights.h"
#include "fuzz/require.h"

using namespace ni;
using namespace ni::app;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto message = parse_adopt_message(bytes)) {
    const auto again = parse_adopt_message(to_bytes(*message));
    FUZZ_REQUIRE(again && again->argv == message->argv && again->text == message->text &&
                 again->environment == message->environment);
  }
  FUZZ_REQUIRE(compare_status(bytes, bytes).user == std::nullopt);
  (void)compare_status(bytes, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t0\n");
  return 0;
}
