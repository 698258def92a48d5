#include "core/command/inspector.h"

#include "support/catch.h"

using namespace ni;

namespace {

using Words = std::vector<std::string>;

Words of_worker(const Words& argv, unsigned number, std::string_view node_options = "") {
  const auto inspector = find_inspector(argv, node_options);
  return inspector ? with_inspector_port(argv, *inspector, number) : argv;
}

}  // namespace

TEST_CASE("each worker's inspector has a port of its own, the first one the program's") {
  CHECK(of_worker({"node", "--inspect", "a.js"}, 0) == Words{"node", "--inspect", "a.js"});
  CHECK(of_worker({"node", "--inspect", "a.js"}, 2) ==
        Words{"node", "--inspect", "--inspect-port=9231", "a.js"});
  CHECK(of_worker({"node", "--inspect=0.0.0.0:9300", "--trace-gc", "a.js"}, 1) ==
        Words{"node", "--inspect=0.0.0.0:9300", "--inspect-port=9301", "--trace-gc", "a.js"});
  CHECK(of_worker({"node", "--inspect=9300", "--inspect-port", "9400", "a.js"}, 1) ==
        Words{"node", "--inspect=9300", "--inspect-port", "9400", "--inspect-port=9401", "a.js"});
  CHECK(of_worker({"node", "--inspect_brk=[::1]:9300", "a.js", "--inspect=1"}, 1) ==
        Words{"node", "--inspect_brk=[::1]:9300", "--inspect-port=9301", "a.js", "--inspect=1"});
}

TEST_CASE("NODE_OPTIONS may ask for the inspector, and the command line says the port after it") {
  CHECK(of_worker({"node", "a.js"}, 1, "--max-http-header-size=9 --inspect") ==
        Words{"node", "--inspect-port=9230", "a.js"});
  CHECK(of_worker({"node", "--inspect-port=7000", "a.js"}, 1, "--inspect=localhost:9300") ==
        Words{"node", "--inspect-port=7000", "--inspect-port=7001", "a.js"});
  CHECK(of_worker({"node", "--inspect", "a.js"}, 1, "--inspect-port=8000") ==
        Words{"node", "--inspect", "--inspect-port=8001", "a.js"});
  CHECK(of_worker({"node", "--inspect=localhost", "a.js"}, 1) ==
        Words{"node", "--inspect=localhost", "--inspect-port=9230", "a.js"});
}

TEST_CASE("nothing is added where no port is to be shared out") {
  for (const Words& argv :
       {Words{"node", "a.js", "--inspect"}, Words{"node", "--inspect=0", "a.js"},
        Words{"node", "--inspect=127.0.0.1:0", "a.js"}, Words{"node", "--inspect=host:x", "a.js"},
        Words{"node", "--inspect-publish-uid=http", "a.js"}, Words{"node", "inspect", "a.js"}}) {
    CHECK(of_worker(argv, 1) == argv);
  }
}

TEST_CASE(
    "an inspector at a port of the system's choice is known of where it is opened at the start") {
  const auto found = [](const Words& argv, std::string_view node_options = "") {
    const auto inspector = find_inspector(argv, node_options);
    return inspector ? inspector_port(*inspector, 3) : -1;
  };
  CHECK(found({"node", "--inspect=0", "a.js"}) == Inspector::kFreePort);
  CHECK(found({"node", "--inspect-port=0", "a.js"}, "--inspect-brk") == Inspector::kFreePort);
  CHECK(found({"node", "--inspect=127.0.0.1:0", "--inspect-port=0", "a.js"}) ==
        Inspector::kFreePort);
  CHECK(found({"node", "--inspect-port=0", "a.js"}) == -1);
  CHECK(found({"node", "--inspect=0", "--inspect-port=9300", "a.js"}) == 9303);
  CHECK(found({"node", "--inspect=80", "a.js"}) == -1);
}

TEST_CASE("ports go round before they leave their range") {
  CHECK(of_worker({"node", "--inspect=65535", "a.js"}, 1)[2] == "--inspect-port=1024");
  CHECK(of_worker({"node", "--inspect=65530", "a.js"}, 5)[2] == "--inspect-port=65535");
}
