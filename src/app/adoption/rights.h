#pragma once

// Whether siblings that PID 1 starts would have the rights of a process somewhere below it.

#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "base/user_ids.h"
#include "sys/descriptor_limit.h"

namespace ni::app {

struct Rights {
  // What is no matter of users: no_new_privs, the bounding set, seccomp, umask, nice, limits.
  // Empty: as a process of ours would have it; else what differs, for people.
  std::string differs;
  std::optional<UserIds> user;  // nullopt: ours
};

// `theirs`, `ours`: of /proc/PID/status (proc_pid_status(5)). `differs` has only what stands there.
Rights compare_status(std::string_view theirs, std::string_view ours);

// Of a live process; `of_workers` is the limit of descriptors that ours get.
Rights rights_of(Pid pid, const sys::DescriptorLimit& of_workers);

}  // namespace ni::app
