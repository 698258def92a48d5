#pragma once

// Node's own command line: where its options end and what it would run. node(1),
// src/node_options.cc of Node 14 … 26.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ni {

// "node", "nodejs", by any path; not a script of that name.
bool is_node(std::string_view program);

struct NodeCommand {
  enum class Runs : std::uint8_t {
    script,          // argv[operand]
    package_script,  // --run NAME
    something_else   // -e, -p, -c, --version, --test, --watch, `inspect`, a REPL, standard input:
                     // never a cluster
  };
  Runs runs = Runs::something_else;
  std::size_t operand = 0;     // for `script`
  std::string package_script;  // for `package_script`
  std::string because;         // for something_else: the option, or "no script"
  std::optional<std::size_t>
      inspect;  // where --inspect, --inspect-brk, --inspect-wait or --inspect-port stands
};

// Whether node takes the word behind this option ("--require", "-r") as its value: the one table of
// such options, for Node 18 to 26.
bool takes_next_word(std::string_view option);

// argv[0] is node.
NodeCommand parse_node_command(std::span<const std::string> argv);

// Words of NODE_OPTIONS: cut at blanks, "…" keeps blanks, \ escapes inside quotes.
// node src/node_options.cc ParseNodeOptionsEnvVar, Node 22.
std::vector<std::string> node_options_words(std::string_view value);

}  // namespace ni
