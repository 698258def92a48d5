#include "sys/descriptor_limit.h"

#include <sys/resource.h>

namespace ni::sys {

DescriptorLimit descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return {.soft = UINT64_MAX, .hard = UINT64_MAX};
  }
  return {.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

DescriptorLimit raise_descriptor_limit() noexcept {
  const DescriptorLimit before = descriptor_limit();
  set_descriptor_limit({.soft = before.hard, .hard = before.hard});
  return before;
}

void set_descriptor_limit(DescriptorLimit limit) noexcept {
  const rlimit wanted{.rlim_cur = limit.soft, .rlim_max = limit.hard};
  (void)::setrlimit(RLIMIT_NOFILE, &wanted);  // best effort; within the hard limit it cannot fail
}

}  // namespace ni::sys
