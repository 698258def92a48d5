// Tables of sockets as in /proc/net: what is found is a port and an inode, from a line that has them.

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "sys/listening.h"
#include "sys/local_sockets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  const auto listening = ni::sys::parse_listening(text);
  const auto others = ni::sys::parse_listening(text, true);
  FUZZ_REQUIRE(listening.size() + others.size() <= lines);
  for (const auto& found : {listening, others}) {
    for (const auto& socket : found) {
      FUZZ_REQUIRE(socket.port >= 0 && socket.port <= 65535);
    }
  }
  FUZZ_REQUIRE(ni::sys::parse_listening_unix(text).size() <= lines);
  const auto names = ni::sys::parse_abstract_names(text, "@nodeinit/");
  FUZZ_REQUIRE(names.size() <= lines);
  for (const auto& name : names) {
    FUZZ_REQUIRE(name.starts_with("@nodeinit/") && text.find(name) != text.npos);
    FUZZ_REQUIRE(name.find_first_of(" \t\n") == name.npos);
  }
  return 0;
}
