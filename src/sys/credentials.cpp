#include "sys/credentials.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "sys/proc_text.h"
#include "sys/read_file.h"

namespace ni::sys {
namespace {

bool has_capability(unsigned number) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  return ::syscall(SYS_capget, &header, data.data()) == 0 &&
         (data[number / 32].effective >> (number % 32) & 1U) != 0;
}

// A user namespace has only some numbers. A file that cannot be read forbids nothing.
bool is_mapped(std::string_view path, std::uint32_t id) {
  const auto text = read_file(std::string(path));
  return !text || is_in_id_map(*text, id);
}

bool groups_are_denied() {
  const auto text = read_file("/proc/self/setgroups");
  return text && trim(*text) == "deny";
}

Error refused(const UserIds& user, std::string reason) {
  return Error{.operation = "become",
               .subject = "user " + std::to_string(user.uid) + ":" + std::to_string(user.gid) +
                          " (NODEINIT_USER)",
               .code = 0,
               .reason = std::move(reason)};
}

}  // namespace

Result<void> can_become(const UserIds& user) {
  if (user.uid == ::geteuid() && user.gid == ::getegid()) {
    return {};  // as it is
  }
  const std::string ours = std::to_string(::geteuid()) + ":" + std::to_string(::getegid());
  if (!has_capability(CAP_SETGID)) {
    return refused(user, "nodeinit runs as " + ours + " without the capability SETGID");
  }
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  (void)::getresuid(&real, &effective, &saved);  // cannot fail: the addresses are ours
  const bool is_ours = user.uid == real || user.uid == effective || user.uid == saved;
  if (!is_ours && !has_capability(CAP_SETUID)) {
    return refused(user, "nodeinit runs as " + ours + " without the capability SETUID");
  }
  if (!is_mapped("/proc/self/uid_map", user.uid) || !is_mapped("/proc/self/gid_map", user.gid) ||
      !std::ranges::all_of(user.groups,
                           [](auto group) { return is_mapped("/proc/self/gid_map", group); })) {
    return refused(user, "this user namespace does not have it (/proc/self/uid_map, gid_map)");
  }
  if (groups_are_denied()) {
    return refused(user, "this user namespace denies setgroups (/proc/self/setgroups)");
  }
  return {};
}

}  // namespace ni::sys
