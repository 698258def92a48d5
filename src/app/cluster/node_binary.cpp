#include "app/cluster/node_binary.h"

#include <unistd.h>

#include <array>

#include "base/text.h"
#include "sys/elf.h"

namespace ni::app {
namespace {

// Where Debian, Fedora and Alpine keep libnode.so, which their small `node` is linked with.
constexpr auto kLibraryFolders = std::to_array<std::string_view>(
    {"/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/aarch64-linux-gnu/",
     "/usr/lib/aarch64-linux-gnu/", "/usr/lib64/", "/lib64/", "/usr/lib/", "/lib/"});

std::string find_program(std::string_view program, std::string_view path) {
  if (program.find('/') != std::string_view::npos) return std::string(program);
  for (const std::string_view folder : split(path, ':')) {
    std::string candidate(folder.empty() ? "." : folder);
    candidate += '/';
    candidate += program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

NodeFeatures features(const sys::ElfExports& exports) {
  return {.since_18_18 = exports.has[0], .is_node = exports.has[1]};
}

}  // namespace

NodeFeatures inspect_node(std::string_view program, std::string_view path) {
  const std::vector<std::string_view> names{kExportedSince18_18, kExportedByNode};
  const auto own = sys::read_elf_exports(find_program(program, path), names);
  if (!own) return {};
  if (own->has[0] || own->has[1]) return features(*own);
  for (const std::string& library : own->needed) {
    if (!library.starts_with("libnode.so")) continue;
    for (const std::string_view folder : kLibraryFolders) {
      const auto theirs = sys::read_elf_exports(std::string(folder) + library, names);
      if (theirs) return features(*theirs);
    }
  }
  return {};
}

}  // namespace ni::app
