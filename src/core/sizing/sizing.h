#pragma once

// From the configuration to a plan for each program, and from the plan to what its workers are
// started with.

#include <string>
#include <vector>

#include "base/environment.h"
#include "core/container/resources.h"
#include "core/settings/config.h"
#include "core/sizing/plan.h"
#include "core/sizing/shares.h"

namespace ni {

// `environment` is nodeinit's own; what the program sets itself beats it.
SizingRequest sizing_request(const ProgramConfig& program, const ContainerPart& part,
                             const Environment& environment);

// One plan for each program, in their order.
std::vector<Plan> plan_programs(const Resources& resources, const Config& config,
                                const Environment& environment);

// The plan of the program at `index` for so many workers, whatever its configuration says: its share of the
// container stays.
Plan plan_for_number(const Resources& resources, const Config& config, std::size_t index,
                     const Environment& environment, unsigned workers);

// Puts the heap flags where they reach the workers: into argv when the command is node itself, so
// that what the program starts is left alone, else into NODE_OPTIONS. No effect when the plan has
// no heap.
void apply_heap(const Plan& plan, std::vector<std::string>& argv, Environment& environment);

}  // namespace ni
