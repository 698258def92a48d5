#include "core/settings/command_text.h"

#include "support/catch.h"

using namespace ni;
using Words = std::vector<std::string>;

TEST_CASE("a command in one line is cut into words as a shell would, and nothing is expanded") {
  CHECK(split_command("node server.js") == Words{"node", "server.js"});
  CHECK(split_command("  node\t'a b.js' \"c d\" e\\ f ") == Words{"node", "a b.js", "c d", "e f"});
  CHECK(split_command("node -e 'console.log(\"$HOME\")'") ==
        Words{"node", "-e", "console.log(\"$HOME\")"});
  CHECK(split_command("a''b \"\"") == Words{"ab", ""});
  CHECK(split_command("\"a\\\"b\"") == Words{"a\"b"});
  CHECK(split_command("") == Words{});
}

TEST_CASE("a quote that is not closed is refused") {
  CHECK_FALSE(split_command("node 'a"));
  CHECK_FALSE(split_command("node \"a'"));
  CHECK_FALSE(split_command("node a\\"));
}

TEST_CASE("words joined to a line are cut into the same words") {
  for (const Words& words :
       {Words{"node", "a b", "", "c'd", "\"", "\\", "$x", "é", "\n"}, Words{"''"}}) {
    CHECK(split_command(join_command(words)) == words);
  }
  CHECK(join_command(Words{"node", "--inspect=0.0.0.0:9229", "a b"}) ==
        "node --inspect=0.0.0.0:9229 'a b'");
}
