#pragma once

// What the container's control group has used and suffered so far, read when somebody asks.

#include "core/metrics.h"
#include "core/resources.h"

namespace ni::app {

// Files that are not there, or do not say it, leave their figure unset.
ContainerFigures container_figures(const Resources& resources);

}  // namespace ni::app
