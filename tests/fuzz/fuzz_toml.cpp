// Whatever a configuration file says: every problem is one printable line with its place, and what
// was accepted is shown as text that is accepted again.

#include <cstdint>
#include <string_view>

#include "core/settings/settings_file.h"
#include "fuzz/require.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const WrittenFile file = read_settings_file(text, "f");
  const Configured configured = configure({}, {}, file, {});
  for (const Problem& problem : configured.problems) {
    FUZZ_REQUIRE(!problem.where.empty() && problem.what.size() < 1000);
    FUZZ_REQUIRE(to_string(problem).find('\n') == std::string::npos);
  }
  for (const Chosen& chosen : configured.top) {
    Config container;
    ProgramConfig program;
    const std::string shown = chosen.setting->show(configured.config, configured.config.top_level);
    FUZZ_REQUIRE(chosen.setting->read(shown, container, program));
    FUZZ_REQUIRE(chosen.setting->show(container, program) == shown);
  }
  if (configured.problems.empty()) {
    for (const ProgramConfig& program : configured.config.programs) {
      FUZZ_REQUIRE(!program.command.empty() && !program.name.empty());
    }
  }
  std::vector<Problem> problems;
  for (const auto& [name, value] : read_environment_file(text, "f", problems)) {
    FUZZ_REQUIRE(!name.empty() && name.find('=') == std::string::npos);
    FUZZ_REQUIRE(value.find('\0') == std::string::npos);
  }
  return 0;
}
