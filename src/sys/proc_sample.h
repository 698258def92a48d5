#pragma once

// What a process uses now, from /proc/<pid>. Error ENOENT or ESRCH: it is gone.

#include <cstdint>

#include "base/result.h"
#include "base/types.h"

namespace ni::sys {

struct ProcSample {
  Duration cpu_user{};
  Duration cpu_system{};
  Bytes resident;
  Bytes virtual_size;
  std::uint32_t threads = 0;
};
Result<ProcSample> sample_process(Pid pid);
Result<ProcSample> sample_self();

// Its share of the memory: pages that several processes have are divided among them (smaps_rollup).
// Costs time with the size of the process, a millisecond for each 100 MB or so. Error EACCES:
// another user's, without CAP_SYS_PTRACE.
Result<Bytes> proportional_memory(Pid pid);

// The most memory that it has ever had in RAM (VmHWM). Error of code 0: it is ending.
Result<Bytes> peak_memory(Pid pid);

// How many descriptors it has open. Error EACCES as above.
Result<std::uint32_t> count_descriptors(Pid pid);
Result<std::uint32_t> count_own_descriptors();

}  // namespace ni::sys
