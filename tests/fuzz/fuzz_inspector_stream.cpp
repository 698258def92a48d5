// Whatever the other side of an inspector's port sends, in whatever pieces: the same messages, within
// the bound.

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "wire/inspector_stream.h"

using namespace ni::wire;

namespace {

constexpr std::size_t kLongest = 300;

// What comes of it, as a text. First bytes: which of the three is read.
std::string read(std::string_view bytes, std::size_t step, unsigned phase) {
  InspectorStream stream(kLongest);
  std::string found;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    stream.feed(bytes.substr(at, step));
    if (phase == 0) {
      const auto body = stream.body();
      if (!body) return found + "!body";
      if (!*body) continue;
      FUZZ_REQUIRE((**body).size() <= InspectorStream::kLongestBody);
      found += "body " + **body;
      phase = 1;
    }
    if (phase == 1) {
      const auto upgraded = stream.upgraded();
      if (!upgraded) return found + "!upgrade";
      if (!*upgraded) continue;
      phase = 2;
    }
    for (;;) {
      const auto message = stream.message();
      if (!message) return found + "!" + message.error().reason;
      if (!*message) break;
      FUZZ_REQUIRE((**message).size() <= kLongest);
      found += "(" + **message + ")";
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const unsigned phase = data[0] % 3U;
  // Longer heads are refused by what has come of them, which pieces may tell sooner.
  if (bytes.size() >= InspectorStream::kLongestHead) return 0;
  FUZZ_REQUIRE(read(bytes, bytes.size() + 1, phase) == read(bytes, 1U + data[1], phase));
  return 0;
}
