#pragma once

// The kernel's table of sockets by sock_diag(7): in place of texts in /proc that have a line for each
// socket of the network namespace, it answers with those in the asked state.

#include <functional>
#include <span>

namespace ni::sys {

// Asks NETLINK_SOCK_DIAG with `request` (what follows nlmsghdr, such as inet_diag_req_v2) and gives
// each answer's bytes to `found`. False: the kernel does not answer that here (no such module,
// gVisor, seccomp), or not in time; ask /proc.
bool dump_sockets(std::span<const char> request,
                  const std::function<void(std::span<const char>)>& found);

// One datagram of such an answer, which holds several messages (netlink(7)).
enum class DumpHeard { more, end, refused };
DumpHeard hear_dump(std::span<const char> datagram,
                    const std::function<void(std::span<const char>)>& found);

}  // namespace ni::sys
