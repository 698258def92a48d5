// Whatever an ecosystem file says: problems with their place, or TOML that our own reader takes.

#include <cstdint>
#include <string_view>

#include "core/pm2/pm2.h"
#include "core/settings/settings_file.h"
#include "fuzz/require.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = wire::Json::parse(without_comments(text));
  if (!json) return 0;
  const Pm2Translation translation = translate_pm2(*json, {.environment = "production"}, "e");
  const Configured configured = configure({}, {}, translation.file, {});
  if (!configured.problems.empty()) return 0;
  const WrittenFile again = read_settings_file(to_toml(translation), "t");
  const Configured reread = configure({}, {}, again, {});
  FUZZ_REQUIRE(reread.problems.empty());
  FUZZ_REQUIRE(reread.config.programs.size() == configured.config.programs.size());
  for (std::size_t i = 0; i < reread.config.programs.size(); ++i) {
    FUZZ_REQUIRE(reread.config.programs[i].command == configured.config.programs[i].command);
    FUZZ_REQUIRE(reread.config.programs[i].environment ==
                 configured.config.programs[i].environment);
  }
  return 0;
}
