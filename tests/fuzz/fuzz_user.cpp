// NODEINIT_USER and the image's passwd and group, each ended by a zero byte: whoever is found stands in
// the files with these numbers, or gave them; nobody becomes root by a line that is none.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "core/command/user.h"
#include "fuzz/require.h"
#include "support/map_files.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pieces = split(text, '\0');
  const std::string_view user = pieces[0];
  test::MapFiles files;
  if (pieces.size() > 1) files.put("/etc/passwd", std::string(pieces[1]));
  if (pieces.size() > 2) files.put("/etc/group", std::string(pieces[2]));
  const auto found = resolve_user(user, files);
  if (!found) {
    const std::string why = to_string(found.error());
    FUZZ_REQUIRE(!why.empty() && printable(why, why.size()) == why);
    return 0;
  }
  const std::string uid = std::to_string(found->uid);
  const std::string_view name = user.substr(0, user.find(':'));
  const bool is_number = parse_number<std::uint32_t>(name) == found->uid;
  FUZZ_REQUIRE(is_number || (pieces.size() > 1 && pieces[1].find(uid) != text.npos) ||
               (pieces.size() > 1 && found->uid == 0 && pieces[1].find('0') != text.npos));
  FUZZ_REQUIRE(user.find(':') == text.npos || found->groups.empty());
  const std::size_t groups = pieces.size() > 2 ? split(pieces[2], '\n').size() : 0;
  FUZZ_REQUIRE(found->groups.size() <= groups);
  if (parse_number<std::uint32_t>(name) && user == name && pieces.size() < 2) {
    FUZZ_REQUIRE(found->gid == 0 && found->groups.empty());
  }
  return 0;
}
