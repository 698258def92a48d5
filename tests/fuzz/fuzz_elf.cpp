// An executable file of anybody's making: an answer for each name that was asked for, libraries by
// names that stand in the file, and an export only where its name does.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "sys/elf.h"
#include "sys/fd.h"

using namespace ni;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const sys::UniqueFd file(::memfd_create("elf", MFD_CLOEXEC));
  FUZZ_REQUIRE(static_cast<bool>(file));
  FUZZ_REQUIRE(::write(file.get(), data, size) == static_cast<ssize_t>(size));
  const std::vector<std::string_view> names = {"napi_create_int32", "exported", ""};
  const auto found = sys::read_elf_exports("/proc/self/fd/" + std::to_string(file.get()), names);
  if (!found) {
    FUZZ_REQUIRE(!found.error().reason.empty());
    return 0;
  }
  FUZZ_REQUIRE(found->has.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    FUZZ_REQUIRE(!found->has[i] || bytes.find(names[i]) != std::string_view::npos);
  }
  for (const std::string& library : found->needed) {
    FUZZ_REQUIRE(library.size() <= 256 && library.find('\0') == std::string::npos);
    FUZZ_REQUIRE(bytes.find(library) != std::string_view::npos);
  }
  return 0;
}
