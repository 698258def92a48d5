#include "core/command/inspector.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "core/command/node_command.h"

namespace ni {
namespace {

constexpr int kLowestPort = 1024;  // node src/node_options.cc ParseAndValidatePort()
constexpr int kHighestPort = 65535;

// "--inspect_brk=9300" is --inspect-brk with the value 9300.
std::string name_of(std::string_view word) {
  std::string name(word.substr(0, word.find('=')));
  std::ranges::replace(name, '_', '-');
  return name;
}

bool takes_next_word(std::string_view name) {
  return name == "--inspect-port" || name == "--debug-port";
}

bool is_about_inspector(std::string_view name) {
  return takes_next_word(name) || name == "--inspect" || name == "--inspect-brk" ||
         name == "--inspect-wait" || name == "--inspect-brk-node";
}

// As node src/node_options.cc SplitHostPort(): "9300", "host:9300", "[::1]:9300"; a host alone means
// the default. What is no port is left to node to refuse.
std::optional<int> port_of(std::string_view value) {
  if (value.starts_with('[') && value.ends_with(']')) return Inspector{}.port;
  const std::size_t colon = value.rfind(':');
  if (colon == std::string_view::npos) return parse_number<int>(value).value_or(Inspector{}.port);
  return parse_number<int>(value.substr(colon + 1));
}

// Goes on with what `found` says of the options before these.
void read_options(std::span<const std::string> words, std::optional<Inspector>& found) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string name = name_of(words[i]);
    if (!is_about_inspector(name)) continue;
    if (!found) found = Inspector{};
    if (name.size() < words[i].size()) {
      found->port = port_of(std::string_view(words[i]).substr(name.size() + 1)).value_or(0);
    } else if (takes_next_word(name) && i + 1 < words.size()) {
      found->port = port_of(words[++i]).value_or(0);
    }
    found->behind = i;
    found->opens = found->opens || !takes_next_word(name);
  }
}

}  // namespace

std::optional<Inspector> find_inspector(std::span<const std::string> argv,
                                        std::string_view node_options) {
  const NodeCommand command = parse_node_command(argv);
  if (command.runs != NodeCommand::Runs::script) return std::nullopt;
  std::optional<Inspector> found;
  read_options(node_options_words(node_options), found);
  if (found) found->behind = 0;
  read_options(argv.first(command.operand), found);
  // Node refuses any other.
  const bool usable = found && (found->port >= kLowestPort ||
                                (found->port == Inspector::kFreePort && found->opens));
  return usable ? found : std::nullopt;
}

int inspector_port(const Inspector& inspector, unsigned number) {
  if (inspector.port == Inspector::kFreePort) return Inspector::kFreePort;
  constexpr int kPorts = kHighestPort - kLowestPort + 1;
  return kLowestPort + (inspector.port - kLowestPort + static_cast<int>(number % kPorts)) % kPorts;
}

std::vector<std::string> with_inspector_port(std::span<const std::string> argv,
                                             const Inspector& inspector, unsigned number) {
  std::vector<std::string> result(argv.begin(), argv.end());
  if (number == 0 || inspector.port == Inspector::kFreePort || result.empty()) return result;
  result.insert(result.begin() + static_cast<std::ptrdiff_t>(inspector.behind) + 1,
                fmt::format("--inspect-port={}", inspector_port(inspector, number)));
  return result;
}

}  // namespace ni
