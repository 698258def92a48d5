#pragma once

// How several programs share one container. Parts are in thousandths of what the container grants.
//
// CPUs: a program with a fixed number of workers has just these; the others divide the CPUs evenly.
// Memory: a program with `share = "30%"` plans with that part. What is left is divided among the
// programs that name none, by their number of workers: a fixed number counts as it stands, any
// other as what its part of the CPUs would give it. One program alone has everything, whatever its
// share says.

#include <span>
#include <vector>

#include "base/types.h"
#include "core/settings/config.h"

namespace ni {

struct ContainerPart {
  unsigned cpu = 1000;
  unsigned memory = 1000;  // at least 1
  bool operator==(const ContainerPart&) const = default;
};

// One part for each program, in their order.
std::vector<ContainerPart> share_out(std::span<const ProgramConfig> programs, MilliCpu cpus);

}  // namespace ni
