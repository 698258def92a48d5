#include "sys/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace ni::sys {
namespace {

Error failed(std::string_view operation, std::string subject, int code = errno) {
  return {.operation = std::string(operation),
          .subject = std::move(subject),
          .code = code,
          .reason = {}};
}

Error failed(std::string_view operation, int fd, int code = errno) {
  return failed(operation, "descriptor " + std::to_string(fd), code);
}

template <class T>
T* as(sockaddr_storage& storage) {
  return reinterpret_cast<T*>(&storage);  // NOLINT: what sockaddr_storage is for
}
template <class T>
const T* as(const sockaddr_storage& storage) {
  return reinterpret_cast<const T*>(&storage);  // NOLINT
}

}  // namespace

std::optional<SocketAddress> SocketAddress::ip(std::string_view host, std::uint16_t port) {
  SocketAddress address;
  const std::string text(host.substr(0, host.find('%')));
  auto* v4 = as<sockaddr_in>(address.storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length_ = sizeof(sockaddr_in);
    return address;
  }
  auto* v6 = as<sockaddr_in6>(address.storage_);
  address.storage_ = {};
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  if (text.size() < host.size()) {
    const std::string zone(host.substr(text.size() + 1));
    v6->sin6_scope_id = parse_number<std::uint32_t>(zone).value_or(if_nametoindex(zone.c_str()));
  }
  address.length_ = sizeof(sockaddr_in6);
  return address;
}

std::optional<SocketAddress> SocketAddress::unix_path(std::string_view path) {
  SocketAddress address;
  auto* name = as<sockaddr_un>(address.storage_);
  if (path.empty() || path.size() >= sizeof(name->sun_path)) return std::nullopt;
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, path.data(), path.size());
  // unix(7): an abstract name is as long as its address; a path ends with a zero.
  const std::size_t zero = path.front() == '\0' ? 0 : 1;
  address.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + zero);
  return address;
}

const sockaddr* SocketAddress::get() const {
  return as<sockaddr>(storage_);
}

int SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(as<sockaddr_in>(storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(as<sockaddr_in6>(storage_)->sin6_port);
  return 0;
}

void SocketAddress::set_port(std::uint16_t port) {
  if (family() == AF_INET) as<sockaddr_in>(storage_)->sin_port = htons(port);
  if (family() == AF_INET6) as<sockaddr_in6>(storage_)->sin6_port = htons(port);
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &as<sockaddr_in>(storage_)->sin_addr, text.data(), text.size());
    return text.data();
  }
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &as<sockaddr_in6>(storage_)->sin6_addr, text.data(), text.size());
    return text.data();
  }
  const std::size_t start = offsetof(sockaddr_un, sun_path);
  if (family() != AF_UNIX || length_ <= start) return {};
  const auto* name = as<sockaddr_un>(storage_);
  std::string path(static_cast<const char*>(name->sun_path), length_ - start);
  if (path.front() != '\0') path.resize(path.find_last_not_of('\0') + 1);
  return path;
}

std::string to_string(const SocketAddress& address) {
  std::string host = address.host();
  if (address.family() == AF_UNIX) {
    if (!host.empty() && host.front() == '\0') host.front() = '@';
    return host;
  }
  return (address.is_ipv6() ? '[' + host + ']' : host) + ':' + std::to_string(address.port());
}

Result<UniqueFd> make_socket(int family, int type) {
  UniqueFd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed("make", "a socket");
  return fd;
}

Result<void> set_option(int fd, int level, int option, int value) {
  if (::setsockopt(fd, level, option, &value, sizeof(value)) != 0)
    return failed("set an option of", fd);
  return {};
}

Result<int> get_option(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (::getsockopt(fd, level, option, &value, &size) != 0) return failed("get an option of", fd);
  return value;
}

Result<void> bind(int fd, const SocketAddress& address) {
  if (::bind(fd, address.get(), address.length()) != 0) return failed("bind", to_string(address));
  return {};
}

Result<void> listen(int fd, int backlog) {
  if (::listen(fd, backlog) != 0) return failed("listen on", fd);
  return {};
}

Result<void> connect(int fd, const SocketAddress& address) {
  if (::connect(fd, address.get(), address.length()) != 0)
    return failed("connect to", to_string(address));
  return {};
}

Result<SocketAddress> local_address(int fd) {
  SocketAddress address;
  address.length_ = sizeof(address.storage_);
  if (::getsockname(fd, as<sockaddr>(address.storage_), &address.length_) != 0) {
    return failed("get the address of", fd);
  }
  return address;
}

Result<std::optional<UniqueFd>> accept(int fd) {
  for (;;) {
    UniqueFd connection(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) return std::optional<UniqueFd>(std::move(connection));
    switch (errno) {
      case EAGAIN:
        return std::optional<UniqueFd>();
      case EINTR:
      case ECONNABORTED:
      // accept(2): pending network errors of the new socket come out here and mean nothing to the
      // listener.
      case ENETDOWN:
      case EPROTO:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case ENETUNREACH:
        continue;
      default:
        return failed("accept on", fd);
    }
  }
}

Result<SocketPair> make_socket_pair() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return failed("make", "a pair of sockets");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<std::size_t> send(int fd, std::string_view bytes, int descriptor) {
  iovec part{const_cast<char*>(bytes.data()),
             bytes.size()};  // NOLINT: sendmsg(2) does not write to it
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  for (;;) {
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    // unix(7): ETOOMANYREFS when too many descriptors are in flight; they are not for ever.
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) return std::size_t{0};
    if (errno != EINTR) return failed("send on", fd);
  }
}

Result<Received> receive(int fd, std::span<char> buffer) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostDescriptors)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = -1;
  do {
    got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  Received received;
  if (got < 0) {
    if (errno == EAGAIN) return received;
    if (errno != ECONNRESET) return failed("receive on", fd);
    got = 0;  // unix(7): the other side closed with unread bytes of ours: an end like any other
  }
  received.bytes = static_cast<std::size_t>(got);
  received.end = got == 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received.descriptors.emplace_back(descriptor);
    }
  }
  return received;
}

Result<std::vector<unsigned>> accept_queue_lengths(std::span<const int> fds) {
  std::vector<pollfd> polled;
  polled.reserve(fds.size());
  for (const int fd : fds) polled.push_back({fd, POLLIN, 0});
  int ready = -1;
  do {
    ready = ::poll(polled.data(), polled.size(), 0);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return failed("poll", "sockets");
  std::vector<unsigned> result;
  result.reserve(polled.size());
  for (const pollfd& one : polled) {
    const bool readable = (one.revents & POLLIN) != 0;
    // net/ipv4/tcp.c, tcp_get_info(): of a listening socket this field is its accept queue.
    tcp_info info{};
    socklen_t size = sizeof(info);
    if (readable) (void)::getsockopt(one.fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    result.push_back(readable ? std::max(1U, unsigned{info.tcpi_unacked}) : 0U);
  }
  return result;
}

}  // namespace ni::sys
