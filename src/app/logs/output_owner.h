#pragma once

// Whose the pipes are that a process gets as its output.

#include "base/user_ids.h"
#include "sys/fd.h"

namespace ni::app {

// As container runtimes do for theirs (runc, fixStdioPermissions): images log to a link to
// /dev/stderr, and who opens that by name needs the right to. No effect without a user or a pipe.
inline void give_output_to(const UserIds* user, int fd) {
  if (user != nullptr && fd >= 0) {
    (void)sys::change_owner(fd, *user);  // without the right to, it stays ours
  }
}

}  // namespace ni::app
