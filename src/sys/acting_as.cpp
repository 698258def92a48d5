#include "sys/acting_as.h"

#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace ni::sys {
namespace {

// By number: glibc's setgroups(3) changes all threads, and takes locks for that.
void set_groups(const std::vector<gid_t>& groups) {
  (void)::syscall(SYS_setgroups, groups.size(), groups.data());  // EPERM: the groups are ours still
}

}  // namespace

ActingAs::ActingAs(const UserIds* user) {
  if (user == nullptr || (user->uid == ::geteuid() && user->gid == ::getegid())) {
    return;
  }
  Ours ours{.user = ::geteuid(), .group = ::getegid(), .groups = {}};
  ours.groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  if (::getgroups(static_cast<int>(ours.groups.size()), ours.groups.data()) < 0) {
    ours.groups.clear();  // nobody else changes their number: it is not seen to fail
  }
  set_groups(user->groups);
  (void)::setfsgid(user->gid);
  (void)::setfsuid(user->uid);
  ours_ = std::move(ours);
}

ActingAs::~ActingAs() {
  if (ours_) {
    (void)::setfsuid(ours_->user);
    (void)::setfsgid(ours_->group);
    set_groups(ours_->groups);
  }
}

}  // namespace ni::sys
