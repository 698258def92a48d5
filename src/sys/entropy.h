#pragma once

// Numbers that nobody can guess, from the kernel.

#include <sys/random.h>

#include <cstdint>
#include <optional>

namespace ni::sys {

// nullopt: the kernel has none yet (very early in a boot), or refuses (seccomp). Never waits.
inline std::optional<std::uint64_t> random_number() {
  std::uint64_t number = 0;
  const bool got = ::getrandom(&number, sizeof number, GRND_NONBLOCK) == sizeof number;
  return got ? std::optional(number) : std::nullopt;
}

}  // namespace ni::sys
