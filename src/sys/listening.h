#pragma once

// Who listens, from sock_diag(7) or, where the kernel does not answer, /proc: for servers that nodeinit was not asked about. Nothing here is an
// error: what cannot be seen (no /proc, another user's process) is as if it were not there.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ni::sys {

struct ListeningSocket {
  std::uint64_t inode = 0;
  int port = 0;
};

// The listening ones, or all others, of a text such as /proc/net/tcp, tcp6 (Linux Documentation/networking/proc_net_tcp.rst);
// lines that are none of its form are passed over.
std::vector<ListeningSocket> parse_listening(std::string_view table, bool others = false);

// Of our network namespace, v4 and v6.
std::vector<ListeningSocket> listening_sockets(bool others = false);

// Inodes of those that listen, of a text such as /proc/net/unix (proc(5)).
std::vector<std::uint64_t> parse_listening_unix(std::string_view table);

// Of Unix sockets in our network namespace.
std::vector<std::uint64_t> listening_unix_sockets();

// Inodes of the sockets that the process has open, by descriptor.
std::vector<std::uint64_t> sockets_of(Pid pid);

// Whether the process has connections to a port that it listens on; nullopt: it listens on none.
std::optional<bool> has_clients(Pid pid);

// Whether another process of our user may listen on the port, too: all who do have SO_REUSEPORT set.
bool can_share_port(int port);

}  // namespace ni::sys
