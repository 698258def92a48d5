#pragma once

// What the container grants: CPUs and memory, each figure with the file it came from.
//
// Every visible level of the group's path is read, and the tightest one binds: an orchestrator may
// put the limit on the pod, the slice or the container. Nothing here fails. A file that is missing,
// unreadable or senseless is passed over and said; what remains is used: affinity, cpuset, the
// machine's CPUs and memory, at the very last one CPU.
//
// Never used as limits: cpu.shares and cpu.weight (a share under contention; runtimes convert
// between them in ways that cannot be undone) and cpu.max.burst (does not raise the average).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_reader.h"
#include "base/types.h"
#include "core/container/hierarchy.h"
#include "core/container/limits.h"

namespace ni {

// A figure and where it comes from: a path, or the name of a system call.
template <class T>
struct Sourced {
  T value{};
  std::string source;
};

// One file that was looked at, in the order of looking: the process's own group first.
struct Finding {
  enum class Verdict : std::uint8_t {
    binds,    // the tightest of its kind
    wider,    // a limit, but another one is tighter
    none,     // says that there is no limit
    shown,    // never a limit
    ignored,  // could not be used, `note` says why
  };
  Controller controller = Controller::cpu;
  std::string path;
  std::string text;  // what the file says, fit to be printed
  Verdict verdict = Verdict::none;
  std::string note;
};
std::string_view to_string(Finding::Verdict verdict);

// What only a system call can tell. Unset fields are read from /proc instead.
struct MachineFacts {
  std::optional<unsigned> affinity;  // sched_getaffinity(2)
};

struct Resources {
  std::optional<Sourced<CpuQuota>> cpu_quota;     // the tightest one
  std::optional<Sourced<unsigned>> cpuset;        // number of CPUs
  std::optional<Sourced<unsigned>> affinity;      // number of CPUs
  std::optional<Sourced<unsigned>> machine_cpus;  // all that are online
  std::optional<Sourced<Bytes>> memory_limit;     // the tightest one
  std::optional<Sourced<Bytes>> machine_memory;   // MemTotal

  // What there is to use: the minimum of the above. At least one thousandth of a CPU.
  Sourced<MilliCpu> cpus;
  // Something narrows the CPUs down; when nothing does, they are shared with everything else on the
  // machine.
  bool cpus_narrowed = false;
  // nullopt: neither a limit nor the machine's memory is known.
  std::optional<Sourced<Bytes>> memory;

  Hierarchy cpu_hierarchy;
  Hierarchy cpuset_hierarchy;
  Hierarchy memory_hierarchy;
  Hierarchy unified_hierarchy;  // the v2 tree, whatever controllers are in it
  std::vector<Finding> findings;
  std::vector<std::string> notes;  // what was missing or odd, one sentence each

  // The directory whose limit binds, else the process's own group; empty: no tree. Usage is read
  // there.
  std::string cpu_directory() const;
  std::string memory_directory() const;
  // Where the pressure file of "cpu", "memory" or "io" lies. Only the v2 tree has them: where a
  // controller is one of v1, that is this process's own group in it, if it is mounted.
  std::string pressure_directory(std::string_view resource) const;
  // The limit files that exist: a change of one of them may change what is granted.
  std::vector<std::string> limit_files() const;
};

Resources read_resources(const FileReader& files, const MachineFacts& machine);

}  // namespace ni
