#pragma once

// Sockets: one thin wrapper per call. Every socket made here is CLOEXEC and non-blocking. No
// policy: who binds what, and what is done when it cannot be, is decided elsewhere.

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace ni::sys {

// Where a socket is bound: an IP address and port, or a path.
class SocketAddress {
 public:
  // A numeric address ("127.0.0.1", "::", "fe80::1%eth0"). nullopt: no such thing.
  static std::optional<SocketAddress> ip(std::string_view host, std::uint16_t port);
  // A path, or an abstract name with '\0' first. nullopt: longer than 107 bytes, or empty.
  static std::optional<SocketAddress> unix_path(std::string_view path);

  int family() const { return storage_.ss_family; }
  bool is_ipv6() const { return family() == AF_INET6; }
  int port() const;          // 0 for a path
  std::string host() const;  // numeric, or the path
  void set_port(std::uint16_t port);
  const sockaddr* get() const;
  socklen_t length() const { return length_; }

 private:
  friend Result<SocketAddress> local_address(int fd);
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

// "[::]:3000", "127.0.0.1:3000", "/run/x.sock", "@name" for an abstract one.
std::string to_string(const SocketAddress& address);

Result<UniqueFd> make_socket(int family, int type);  // type: SOCK_STREAM, SOCK_DGRAM
Result<void> set_option(int fd, int level, int option, int value);
Result<int> get_option(int fd, int level, int option);
Result<void> bind(int fd, const SocketAddress& address);
Result<void> listen(int fd, int backlog);
Result<void> connect(int fd, const SocketAddress& address);
Result<SocketAddress> local_address(int fd);

// The next connection, or nothing when none waits. A connection that was aborted while it waited is
// passed over.
Result<std::optional<UniqueFd>> accept(int fd);

// Two connected stream sockets.
struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
Result<SocketPair> make_socket_pair();

// Sends what fits, the descriptor (>= 0) with its first byte. 0: the buffer is full, nothing went,
// nor the descriptor. Never raises SIGPIPE.
Result<std::size_t> send(int fd, std::string_view bytes, int descriptor = -1);

// What came in one call. `end`: the other side has closed, and nothing more comes. Descriptors that
// came along are owned by `descriptors`; beyond kMostDescriptors the kernel drops them.
inline constexpr std::size_t kMostDescriptors = 16;
struct Received {
  std::size_t bytes = 0;
  bool end = false;
  std::vector<UniqueFd> descriptors;
};
Result<Received> receive(int fd, std::span<char> buffer);  // bytes 0 and not end: nothing there now

// How many connections wait to be accepted on each of these listening sockets; 1 stands for some
// where the kernel does not count them (it does for TCP).
Result<std::vector<unsigned>> accept_queue_lengths(std::span<const int> fds);

// Whom the kernel gives a new connection of a SO_REUSEPORT group to (SO_ATTACH_REUSEPORT_CBPF):
// indices in the order in which the members called listen(2). Replaces what was attached,
// atomically. Never before the member listens: that would give it a group of its own. Neither
// capability nor privilege is needed. `members` must not be empty, at most kMostSteered.
inline constexpr std::size_t kMostSteered = 1024;
// By the client's port: successive connections of one client go to one member after another.
Result<void> steer_by_port(int fd, std::span<const std::uint32_t> members);
// By the client's address, v4 or v6: bucket i of `members` has the member for addresses of hash i.
Result<void> steer_by_address(int fd, std::span<const std::uint32_t> members);

}  // namespace ni::sys
