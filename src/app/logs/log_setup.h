#pragma once

// From the configuration to the workers' log path.

#include <vector>

#include "app/logs/log.h"
#include "core/settings/config.h"
#include "core/sizing/plan.h"
#include "loop/log_pump.h"

namespace ni::app {

// Where the setting says `auto`: one worker, or a person at a terminal, has the descriptors
// themselves; several workers share them by whole lines. Without a terminal the one worker's stderr
// passes through us, as it comes, when the termination log wants its last words, else once one has
// failed. An `inherit` that was asked for is that and nothing else.
loop::LogSettings log_settings(const Config& config, const std::vector<Plan>& plans);

// Whether single mode reads its one worker's stderr: by the same rule, but only for a termination
// log that is wanted; a terminal as stdin is a person, too.
bool single_mode_reads_stderr(const Config& config);

// Our stdout or stderr fails (errno), or works again (0).
void tell_trouble(Log& log, wire::LogStream stream, int error);

}  // namespace ni::app
