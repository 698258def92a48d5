#pragma once

// What a reload does with settings that have changed: most hold from then on; those whose row in the
// table says so were used up at the start (a socket that is open, pipes that are made) and stay as they
// are until there is a new container, which is said by their names.

#include <string>
#include <string_view>
#include <vector>

#include "core/settings/config.h"

namespace ni {

struct Changes {
  std::vector<std::string> applied;  // keys; of one program among several "name.key"
  std::vector<std::string> not_applied;
};

// `again` was read anew. What cannot be applied is put back in it to what is in force.
void keep_what_stays(const Config& in_force, Config& again, Changes& changes);
// The same for what a program has; `prefix` stands before the names of its settings.
void keep_what_stays(const ProgramConfig& in_force, ProgramConfig& again, std::string_view prefix,
                     Changes& changes);

}  // namespace ni
