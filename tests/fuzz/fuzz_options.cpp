// Whatever stands on the command line and in the environment: a decision with a sane exit code.
// The input is words, each ended by a zero byte; those with NODEINIT_ in front are variables.

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "app/invocation/options.h"
#include "base/text.h"
#include "fuzz/require.h"

using namespace ni;

namespace {

class NoFiles final : public FileReader {
 public:
  Result<std::string> read(std::string_view path) const override {
    return Error{.operation = "open", .subject = std::string(path), .code = ENOENT, .reason = {}};
  }
  bool is_directory(std::string_view) const override { return false; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> argv = {"nodeinit"};
  Environment environment;
  for (const std::string_view word : split(text, '\0')) {
    const auto equals = word.find('=');
    if (equals != std::string_view::npos && !word.starts_with("-")) {
      environment.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    } else {
      argv.emplace_back(word);
    }
  }
  const app::Invocation invocation = app::read_invocation(argv, environment, NoFiles());
  switch (invocation.does) {
    case app::Invocation::Does::leave:
      FUZZ_REQUIRE(invocation.exit_code == 0 || invocation.exit_code == 64 ||
                   invocation.exit_code == 78);
      FUZZ_REQUIRE(invocation.exit_code == 0 || !invocation.complaints.empty());
      break;
    case app::Invocation::Does::run:
      FUZZ_REQUIRE(!invocation.config.programs.empty());
      FUZZ_REQUIRE(!invocation.config.programs.front().command.empty());
      break;
    case app::Invocation::Does::explain:
    case app::Invocation::Does::ctl:
      break;
  }
  return 0;
}
