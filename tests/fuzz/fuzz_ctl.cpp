// The words after `nodeinit ctl`, each ended by a zero byte: a request that PID 1 understands as it was
// meant, or a reason that can be printed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/ctl/ctl.h"
#include "base/text.h"
#include "fuzz/require.h"

using namespace ni;
using Show = app::CtlCommand::Show;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> words;
  for (const std::string_view word : split(text, '\0')) words.emplace_back(word);
  const auto command = app::parse_ctl(words);
  if (!command) {
    const std::string& why = command.error().reason;
    FUZZ_REQUIRE(!why.empty() && why.size() < 1000 && printable(why, why.size()) == why);
    return 0;
  }
  if (command->show == Show::help || command->show == Show::import_pm2) {
    FUZZ_REQUIRE(command->show == Show::help || !words.empty());
    return 0;
  }
  const std::string line = wire::to_line(command->request);
  FUZZ_REQUIRE(line.ends_with('\n') && line.find('\n') == line.size() - 1);
  if (line.size() > wire::kLongestRequest) return 0;
  const auto heard = wire::parse_control_request(std::string_view(line).substr(0, line.size() - 1));
  FUZZ_REQUIRE(static_cast<bool>(heard));
  FUZZ_REQUIRE(heard->verb == command->request.verb && heard->slot == command->request.slot);
  FUZZ_REQUIRE(heard->amount == command->request.amount);
  FUZZ_REQUIRE(heard->relative == command->request.relative);
  FUZZ_REQUIRE(heard->signal == command->request.signal);
  FUZZ_REQUIRE(heard->live == command->request.live && heard->quick == command->request.quick);
  FUZZ_REQUIRE(wire::to_line(*heard) == line);
  return 0;
}
