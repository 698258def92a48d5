#pragma once

// What an executable file is and exports, read from its headers: a few small reads, however large
// the file.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ni::sys {

// The dynamic symbol table of a 64-bit ELF file of this machine's byte order.
struct ElfExports {
  std::vector<bool> has;            // for each name asked for
  std::vector<std::string> needed;  // the shared libraries it names: "libnode.so.108"
};

// Errors: as open(2); code 0: not such a file (a script, say), or one that contradicts itself.
Result<ElfExports> read_elf_exports(const std::string& path,
                                    const std::vector<std::string_view>& names);

}  // namespace ni::sys
