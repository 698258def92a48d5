// NODE_OPTIONS, up to the first zero byte, and node's command line, a word before each further one: the
// words are Node's, what we add is read by Node as we meant it, and what was there stays.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "core/command/inspector.h"
#include "core/command/node_command.h"
#include "core/sizing/heap.h"
#include "fuzz/require.h"

using namespace ni;
using Words = std::vector<std::string>;

namespace {

std::string quoted(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    text += text.empty() ? "\"" : " \"";
    for (const char c : word)
      text += c == '"' || c == '\\' ? "\\" + std::string(1, c) : std::string(1, c);
    text += '"';
  }
  return text;
}

// As Node judges it: "unterminated string", a backslash at the end of a quoted part.
bool is_closed(std::string_view value) {
  bool inside = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (inside && value[i] == '\\') {
      if (++i == value.size()) return false;
    } else if (value[i] == '"') {
      inside = !inside;
    }
  }
  return !inside;
}

void check_value(std::string_view value) {
  const Words words = node_options_words(value);
  const bool no_empty_words = std::ranges::none_of(words, [](const auto& w) { return w.empty(); });
  FUZZ_REQUIRE(no_empty_words);
  FUZZ_REQUIRE(node_options_words(quoted(words)) == words);
  if (const auto option = heap_option_in_node_options(value)) {
    FUZZ_REQUIRE(std::ranges::find(words, *option) != words.end());
  }
  if (!is_closed(value)) return;  // Node refuses to start
  const HeapSize heap{.old_space_mib = 100, .semi_space_mib = 2};
  const Words with = node_options_words(node_options_with_heap_flags(value, heap));
  const Words flags = heap_flags(heap);
  FUZZ_REQUIRE(with.size() == words.size() + flags.size());
  FUZZ_REQUIRE(std::equal(words.begin(), words.end(), with.begin()));
  FUZZ_REQUIRE(std::equal(flags.rbegin(), flags.rend(), with.rbegin()));
  FUZZ_REQUIRE(node_options_words(node_options_with_divided_percentage(value, 1 + value.size() % 8))
                   .size() == words.size());
}

void check_argv(const Words& argv, std::string_view options) {
  const NodeCommand command = parse_node_command(argv);
  if (command.runs == NodeCommand::Runs::script) {
    FUZZ_REQUIRE(command.operand >= 1 && command.operand < argv.size());
  } else if (command.runs == NodeCommand::Runs::something_else) {
    FUZZ_REQUIRE(!command.because.empty());
  }
  FUZZ_REQUIRE(!command.inspect || *command.inspect < argv.size());
  const HeapSize heap{.old_space_mib = 100, .semi_space_mib = 2};
  const Words with = with_heap_flags(argv, heap);
  const NodeCommand then = parse_node_command(with);
  FUZZ_REQUIRE(then.runs == command.runs);
  if (command.runs == NodeCommand::Runs::script) {
    FUZZ_REQUIRE(with[then.operand] == argv[command.operand]);
  }
  FUZZ_REQUIRE(with_divided_percentage(argv, 2).size() == argv.size());
  if (const auto inspector = find_inspector(argv, options)) {
    FUZZ_REQUIRE(inspector->behind < argv.size());
    for (const unsigned number : {0U, 1U, 70'000U, ~0U}) {
      const int port = inspector_port(*inspector, number);
      FUZZ_REQUIRE(port == Inspector::kFreePort || (port >= 1024 && port <= 65535));
    }
    const Words own = with_inspector_port(argv, *inspector, 1);
    FUZZ_REQUIRE(parse_node_command(own).runs == NodeCommand::Runs::script);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pieces = split(text, '\0');
  check_value(pieces[0]);
  Words argv = {"node"};
  for (std::size_t i = 1; i < pieces.size(); ++i) argv.emplace_back(pieces[i]);
  check_argv(argv, pieces[0]);
  return 0;
}
