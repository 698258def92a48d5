#include "sys/elf.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "support/catch.h"

using namespace ni;
using namespace ni::sys;

TEST_CASE("what a shared library exports is found, and what it only uses is not") {
  // The C library, wherever the loader has put it.
  std::string path;
  FILE* maps = std::fopen("/proc/self/maps", "re");
  REQUIRE(maps != nullptr);
  std::array<char, 1024> line{};
  while (std::fgets(line.data(), line.size(), maps) != nullptr) {
    const std::string text(line.data());
    const std::size_t at = text.find('/');
    if (text.find("libstdc++.so") != std::string::npos && at != std::string::npos) {
      path = text.substr(at, text.find('\n') - at);
    }
  }
  (void)std::fclose(maps);
  if (path.empty()) return;  // a static test program
  const auto exports = read_elf_exports(path, {"__cxa_throw", "malloc", "no_such_symbol"});
  REQUIRE(exports);
  CHECK(exports->has == std::vector<bool>{true, false, false});
  CHECK(exports->needed.size() > 1);
}

TEST_CASE("a FIFO in the place of an executable is an error, at once") {
  const std::string path = "/tmp/nodeinit-elf-test." + std::to_string(::getpid());
  REQUIRE(::mkfifo(path.c_str(), 0755) == 0);
  CHECK_FALSE(read_elf_exports(path, {}));
  CHECK(::unlink(path.c_str()) == 0);
}

TEST_CASE("what is no executable is an error") {
  CHECK_FALSE(read_elf_exports("/etc/passwd", {}));
  CHECK_FALSE(read_elf_exports("/dev/null", {}));
  CHECK_FALSE(read_elf_exports("/nonexistent", {}));
}
