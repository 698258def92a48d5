#pragma once

// Descriptors that whoever started us passed on. Every worker gets them under the same numbers, its
// successors too: so in cluster mode we hold them as well.

#include <vector>

#include "base/environment.h"

namespace ni::app {

// Those of socket activation (sd_listen_fds(3)): a program may listen on them.
std::vector<int> listen_descriptors(const Environment& environment);

// Where a worker's channel goes: 3, as under Node's own primary, or the first number after those of
// socket activation that no inherited descriptor has.
int channel_number(const Environment& environment);

}  // namespace ni::app
