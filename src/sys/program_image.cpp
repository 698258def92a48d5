#include "sys/program_image.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

// ld(1) defines them: the first byte of the program, and the one after its text.
extern "C" char __executable_start;  // NOLINT: the linker's name
extern "C" char etext;

namespace ni::sys {

void map_program_text() noexcept {
  constexpr std::uintptr_t kPage = 4096;
  constexpr std::size_t kMost = std::size_t{4} << 20U;  // a build for tests is many times larger
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(kPage - 1);
  const std::size_t size = reinterpret_cast<std::uintptr_t>(&etext) - begin;
  if (size <= kMost) {
    (void)::madvise(reinterpret_cast<void*>(begin), size,  // NOLINT: an address of the linker's
                    MADV_POPULATE_READ);                   // without it the pages come one by one
  }
}

}  // namespace ni::sys
