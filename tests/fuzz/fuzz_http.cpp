// Whatever comes over the socket, in whatever pieces: the same answer, within the bound.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "wire/exposition.h"
#include "wire/http.h"

using namespace ni::wire;
using Progress = HttpRequestReader::Progress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  HttpRequestReader whole;
  const Progress at_once = whole.feed(text);
  HttpRequestReader pieces;
  Progress bit_by_bit = Progress::more;
  const std::size_t step = 1U + data[0];
  for (std::size_t at = 0; at < text.size() && bit_by_bit == Progress::more; at += step) {
    bit_by_bit = pieces.feed(text.substr(at, step));
  }
  if (text.empty()) return 0;
  FUZZ_REQUIRE(at_once == bit_by_bit);
  if (at_once == Progress::done) {
    FUZZ_REQUIRE(whole.request().path == pieces.request().path);
    FUZZ_REQUIRE(whole.request().accept == pieces.request().accept);
    (void)choose_format(whole.request().accept);
  }
  if (at_once == Progress::refused) FUZZ_REQUIRE(whole.refusal() >= 400);
  if (text.size() > HttpRequestReader::kMostBytes) FUZZ_REQUIRE(at_once != Progress::more);
  return 0;
}
