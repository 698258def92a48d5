#pragma once

// For the time of a few system calls on files: another user's rights in place of ours.

#include <sys/types.h>

#include <optional>
#include <vector>

#include "base/user_ids.h"

namespace ni::sys {

// The file system user, group and supplementary groups of this thread (setfsuid(2), credentials(7));
// the capabilities that pass over the modes of files sleep as long (capabilities(7), "Effect of user
// ID changes"). Ours again with the destructor. Nothing changes where `user` is nullptr or is who we
// are already.
class ActingAs {
 public:
  explicit ActingAs(const UserIds* user);
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs();

 private:
  struct Ours {
    uid_t user;
    gid_t group;
    std::vector<gid_t> groups;
  };
  std::optional<Ours> ours_;
};

}  // namespace ni::sys
