#pragma once

// What is started when a file is executed: a script by the program that its first line names, and the small shell
// scripts that pnpm writes into node_modules/.bin by the node command at their end.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ni {

struct Interpreted {
  std::vector<std::string>
      words;              // what stands before the arguments: node, /app/node_modules/.bin/next
  std::string node_path;  // folders that a shim puts first in NODE_PATH
};

// `path` as it is executed, `text` its beginning. nullopt: no script, or one that another program must read (a shell,
// env with more than -S).
std::optional<Interpreted> interpreted(std::string_view path, std::string_view text);

// The program of the first line alone, "sh" for #!/bin/sh -e; empty: there is none.
std::string_view interpreter_of(std::string_view text);

// Whether a shell's text names a program that is node or starts it: a guess, made to tell people, never to decide.
bool names_node(std::string_view shell_text);

// The same of one word: /usr/bin/node, npm, ./node_modules/.bin/x.
bool is_program_of_node(std::string_view word);

}  // namespace ni
