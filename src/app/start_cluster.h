#pragma once

#include "app/options.h"

namespace ni::app {

// Whether this command is to be run as a cluster (DESIGN: mode `auto`).
bool wants_cluster(const Config& config);

// Cluster mode from a judged configuration to the container's exit code.
int start_cluster(const Invocation& invocation);

}  // namespace ni::app
