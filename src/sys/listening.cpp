#include "sys/listening.h"

#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "sys/fd.h"
#include "sys/read_file.h"
#include "sys/socket_diag.h"

namespace ni::sys {
namespace {

constexpr std::string_view kListen = "0A";  // TCP_LISTEN, include/net/tcp_states.h
constexpr std::size_t kMostTable = std::size_t{8} << 20U;

std::optional<int> port_of(std::string_view address) {  // "0100007F:0BB8"
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view digits = address.substr(colon + 1);
  int port = 0;
  const auto parsed = std::from_chars(digits.begin(), digits.end(), port, 16);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == digits.end();
  return whole && port >= 0 && port <= 65535 ? std::optional(port) : std::nullopt;
}

constexpr std::uint32_t kListening = 1U << 10U;  // TCP_LISTEN, include/net/tcp_states.h

// TCP sockets in the states of the mask; nullopt: the kernel does not say.
std::optional<std::vector<ListeningSocket>> ask_kernel(std::uint32_t states) {
  std::vector<ListeningSocket> found;
  for (const int family : {AF_INET, AF_INET6}) {
    ::inet_diag_req_v2 request{};
    request.sdiag_family = static_cast<__u8>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = states;
    const bool answered = dump_sockets(
        std::span(reinterpret_cast<const char*>(&request), sizeof request),
        [&found](std::span<const char> bytes) {
          ::inet_diag_msg socket{};
          if (bytes.size() >= sizeof socket) {
            std::memcpy(&socket, bytes.data(), sizeof socket);
            found.push_back({.inode = socket.idiag_inode, .port = ntohs(socket.id.idiag_sport)});
          }
        });
    if (!answered) {
      return std::nullopt;
    }
  }
  return found;
}

// Listening Unix sockets; nullopt: the kernel does not say.
std::optional<std::vector<std::uint64_t>> ask_kernel_for_unix() {
  ::unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = kListening;
  std::vector<std::uint64_t> found;
  const bool answered =
      dump_sockets(std::span(reinterpret_cast<const char*>(&request), sizeof request),
                   [&found](std::span<const char> bytes) {
                     ::unix_diag_msg socket{};
                     if (bytes.size() >= sizeof socket) {
                       std::memcpy(&socket, bytes.data(), sizeof socket);
                       found.push_back(socket.udiag_ino);
                     }
                   });
  return answered ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace

std::vector<ListeningSocket> parse_listening(std::string_view table, bool others) {
  std::vector<ListeningSocket> found;
  for (const std::string_view line : split(table, '\n')) {
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    const std::vector<std::string_view> fields = split_words(line);
    if (fields.size() < 10 || (fields[3] == kListen) == others) {
      continue;
    }
    const auto port = port_of(fields[1]);
    const auto inode = parse_number<std::uint64_t>(fields[9]);
    if (port && inode) {
      found.push_back({.inode = *inode, .port = *port});
    }
  }
  return found;
}

std::vector<ListeningSocket> listening_sockets(bool others) {
  if (auto asked = ask_kernel(others ? ~kListening : kListening)) {
    return *std::move(asked);
  }
  std::vector<ListeningSocket> found;
  for (const char* const path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    if (const auto table = read_file(path, kMostTable)) {
      const auto more = parse_listening(*table, others);
      found.insert(found.end(), more.begin(), more.end());
    }
  }
  return found;
}

std::vector<std::uint64_t> parse_listening_unix(std::string_view table) {
  constexpr std::string_view kAcceptsConnections = "00010000";  // __SO_ACCEPTCON, linux/net.h
  std::vector<std::uint64_t> found;
  for (const std::string_view line : split(table, '\n')) {
    // Num RefCount Protocol Flags Type St Inode Path
    const std::vector<std::string_view> fields = split_words(line);
    if (fields.size() < 7 || fields[3] != kAcceptsConnections) {
      continue;
    }
    if (const auto inode = parse_number<std::uint64_t>(fields[6])) {
      found.push_back(*inode);
    }
  }
  return found;
}

std::vector<std::uint64_t> listening_unix_sockets() {
  if (auto asked = ask_kernel_for_unix()) {
    return *std::move(asked);
  }
  const auto table = read_file("/proc/self/net/unix", kMostTable);
  return table ? parse_listening_unix(*table) : std::vector<std::uint64_t>();
}

std::vector<std::uint64_t> sockets_of(Pid pid) {
  const std::string folder = "/proc/" + std::to_string(pid.value()) + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
  std::vector<std::uint64_t> inodes;
  while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    std::array<char, 64> target{};  // "socket:[12345]"
    const ssize_t length =
        readlinkat(dirfd(directory.get()), entry->d_name, target.data(), target.size());
    std::string_view name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    if (name.starts_with("socket:[") && name.ends_with(']')) {
      name.remove_prefix(8);
      name.remove_suffix(1);
      if (const auto inode = parse_number<std::uint64_t>(name)) {
        inodes.push_back(*inode);
      }
    }
  }
  return inodes;
}

std::optional<bool> has_clients(Pid pid) {
  const std::vector<std::uint64_t> own = sockets_of(pid);
  const auto is_own = [&own](const ListeningSocket& socket) {
    return std::ranges::find(own, socket.inode) != own.end();
  };
  std::vector<ListeningSocket> servers = listening_sockets();
  std::erase_if(servers, [&](const ListeningSocket& socket) { return !is_own(socket); });
  if (servers.empty()) {
    return std::nullopt;
  }
  return std::ranges::any_of(listening_sockets(true), [&](const ListeningSocket& client) {
    return is_own(client) &&
           std::ranges::find(servers, client.port, &ListeningSocket::port) != servers.end();
  });
}

bool can_share_port(int port) {
  const UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd fd4(fd ? -1 : ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    return ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
           ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return fd4 && ::setsockopt(fd4.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0 &&
         ::bind(fd4.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace ni::sys
