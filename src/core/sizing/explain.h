#pragma once

// --explain: what the container grants, how we know, and what follows from it, for a person and for
// machines. It is the documentation of sizing: every level found, every limit, which one binds,
// what was ignored and why, the arithmetic.

#include <span>
#include <string>

#include "core/container/resources.h"
#include "core/settings/config.h"
#include "core/sizing/plan.h"
#include "wire/json.h"

namespace ni {

// For the message at the start: "limits: 1.5 CPUs (/sys/fs/cgroup/cpu.max), 512 MiB
// (/sys/fs/cgroup/memory.max) → 2 workers, heap 194 MiB each". No line end.
std::string limits_line(const Resources& resources, const Plan& plan);

// Several lines. `plans` has one plan for each program.
std::string explain_text(const Resources& resources, const Config& config,
                         std::span<const Plan> plans);

// At the top level cpu_limit (CPUs or null), memory_limit (bytes or null), workers (of all
// programs), heap_mb (per worker of the first program, or null); the rest below resources,
// findings, notes and programs.
wire::Json explain_json(const Resources& resources, const Config& config,
                        std::span<const Plan> plans);

}  // namespace ni
