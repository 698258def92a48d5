#pragma once

// Whether a process that we start could be another user, before one is started: the rules of
// setgroups(2), setresgid(2), setresuid(2) and user_namespaces(7), without trying.

#include "base/result.h"
#include "base/user_ids.h"

namespace ni::sys {

// As begin_spawn() would make it. Error: what is missing for that.
Result<void> can_become(const UserIds& user);

}  // namespace ni::sys
