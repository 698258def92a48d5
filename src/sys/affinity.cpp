#include "sys/affinity.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <vector>

namespace ni::sys {

long ask_affinity(std::size_t size, unsigned long* mask) {
  // The system call itself gives the number of bytes it wrote; 0 is this thread, the only one.
  return ::syscall(SYS_sched_getaffinity, 0, size, mask);
}

Result<unsigned> affinity_count(AskAffinity ask) {
  constexpr std::size_t kBitsPerWord = 8 * sizeof(unsigned long);
  constexpr std::size_t kMostCpus = std::size_t{1} << 20U;
  for (std::size_t cpus = 1024; cpus <= kMostCpus; cpus *= 2) {
    std::vector<unsigned long> mask(cpus / kBitsPerWord);
    const long written = ask(mask.size() * sizeof(unsigned long), mask.data());
    if (written > 0) {
      unsigned count = 0;
      for (const unsigned long word : mask) {
        count += static_cast<unsigned>(std::popcount(word));
      }
      return count;
    }
    if (errno != EINVAL) {
      break;
    }
  }
  return Error{.operation = "ask", .subject = "the CPU affinity", .code = errno, .reason = {}};
}

}  // namespace ni::sys
