#pragma once

// Sockets between processes of one machine: who is at the other end, and a name that no two PID
// namespaces share.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace ni::sys {

struct Peer {
  int pid = 0;  // 0: not visible in our PID namespace, unix(7)
  std::uint32_t user = 0;
};
// Who connected, or for a client who called listen(2).
Result<Peer> peer_of(int fd);

std::uint32_t effective_user();

// The inode of our PID namespace, pid_namespaces(7), and of our mount namespace; nullopt without
// /proc.
std::optional<std::uint64_t> pid_namespace();
std::optional<std::uint64_t> mount_namespace();

// Listens on an absolute path (mode 0600; a socket that nobody listens on any more is replaced,
// what is no socket stays) or on "@name", an abstract name. Errors: as bind(2); EADDRINUSE when
// something is there.
Result<UniqueFd> listen_local(const std::string& address);
// Connected, blocking for nobody: a full accept queue is EAGAIN.
Result<UniqueFd> connect_local(const std::string& address);

// The abstract names of our network namespace that begin so, as "@name"; unix(7), /proc/net/unix.
std::vector<std::string> abstract_names(std::string_view beginning);
// The same from such a text, each once. Whoever binds a name chooses its bytes: what follows a blank or
// a line end in it is none of ours.
std::vector<std::string> parse_abstract_names(std::string_view table, std::string_view beginning);

}  // namespace ni::sys
