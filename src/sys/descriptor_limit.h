#pragma once

// RLIMIT_NOFILE, ours and our workers'. Many platforms start containers with 1024 and allow much
// more: enough for one program, not for the primary of a few hundred.

#include <cstdint>

namespace ni::sys {

struct DescriptorLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

// Ours; the largest numbers when the kernel does not tell.
DescriptorLimit descriptor_limit() noexcept;

// Raises the soft limit as far as the hard one allows. Workers are to be given what it was: a
// program that closes all descriptors up to its limit should not take a minute for it.
DescriptorLimit raise_descriptor_limit() noexcept;

// For the new process between clone and exec: async-signal-safe.
void set_descriptor_limit(DescriptorLimit limit) noexcept;

}  // namespace ni::sys
