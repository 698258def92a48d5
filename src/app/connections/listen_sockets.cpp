#include "app/connections/listen_sockets.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/acting_as.h"
#include "sys/entropy.h"

namespace ni::app {
namespace {

constexpr int kDefaultBacklog = 511;  // node lib/net.js setupListenHandle()

Error refuse(int code, std::string subject) {
  return {.operation = "listen on", .subject = std::move(subject), .code = code, .reason = {}};
}

struct Options {
  int type = SOCK_STREAM;
  bool reuse_address = true;  // libuv sets it for every TCP socket
  bool reuse_port = false;
  bool ipv6_only = false;
  std::optional<std::uint32_t> owner = std::nullopt;
};

Result<sys::UniqueFd> bound_socket(const sys::SocketAddress& address, const Options& options) {
  NI_TRY(sys::UniqueFd fd, sys::make_socket(address.family(), options.type));
  const auto set = [&](int level, int option, bool value) {
    return sys::set_option(fd.get(), level, option, value ? 1 : 0);
  };
  if (options.reuse_address) {
    if (auto done = set(SOL_SOCKET, SO_REUSEADDR, true); !done) return std::move(done).error();
  }
  if (options.reuse_port) {
    if (auto done = set(SOL_SOCKET, SO_REUSEPORT, true); !done) return std::move(done).error();
  }
  if (options.owner && !sys::set_owner(fd.get(), *options.owner)) {
    return refuse(EACCES, "a place whose other sockets have been given away");
  }
  if (address.is_ipv6()) {
    // Said in both cases: net.ipv6.bindv6only may have changed the default.
    auto done = set(IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only);
    if (!done) return std::move(done).error();
  }
  if (auto done = sys::bind(fd.get(), address); !done) return std::move(done).error();
  return fd;
}

// Only sockets of one user may share a place (kernel net/ipv4/inet_connection_sock.c,
// inet_bind_conflict()). A process of our own user that joined would be counted among the members
// by which the kernel steers, and get connections. So ours belong to a user that nobody is; where
// we may not give them away (CAP_CHOWN), or that number is none (user_namespaces(7)), they are ours.
std::optional<std::uint32_t> nobodys_number() {
  constexpr std::uint32_t kFirst = 0x70000000;  // above what images, hosts and systemd give out
  constexpr std::uint32_t kCount = 0x0F000000;
  const Result<sys::UniqueFd> trial = sys::make_socket(AF_INET, SOCK_STREAM);
  const std::uint32_t number =
      kFirst + static_cast<std::uint32_t>(sys::random_number().value_or(0) % kCount);
  return trial && sys::set_owner(trial->get(), number) ? std::optional(number) : std::nullopt;
}

// All are bound first, then listen in order: a failure leaves no listener behind that clients could
// have reached.
Result<void> add_members(ListenSockets& group, unsigned count, bool reuse_port) {
  std::vector<sys::UniqueFd> added;
  while (group.sockets.size() + added.size() < count) {
    NI_TRY(sys::UniqueFd fd, bound_socket(group.address, {.reuse_port = reuse_port,
                                                          .ipv6_only = group.ipv6_only,
                                                          .owner = group.owner}));
    NI_TRY(const sys::SocketAddress real, sys::local_address(fd.get()));
    group.address.set_port(
        static_cast<std::uint16_t>(real.port()));  // port 0: the same for the others
    added.push_back(std::move(fd));
  }
  for (sys::UniqueFd& fd : added) {
    if (auto done = sys::listen(fd.get(), group.backlog); !done) return done;
    group.sockets.push_back(std::move(fd));
  }
  return {};
}

Result<ListenSockets> open_tcp_at(const sys::SocketAddress& address, const wire::ListenQuery& query,
                                  unsigned count, bool reuse_port) {
  ListenSockets group;
  group.address = address;
  group.ipv6_only = (query.flags & wire::kIpv6Only) != 0;
  group.backlog = query.backlog > 0 ? query.backlog : kDefaultBacklog;
  group.tcp = true;
  if (reuse_port) group.owner = nobodys_number();
  if (reuse_port && address.port() != 0) {
    const auto probe = bound_socket(address, {.ipv6_only = group.ipv6_only});
    if (!probe) return probe.error();
  }
  if (auto done = add_members(group, count, reuse_port); !done) return std::move(done).error();
  return group;
}

Result<ListenSockets> open_tcp(const wire::ListenQuery& query, unsigned count, bool reuse_port) {
  if (query.port < 0 || query.port > 65535) return refuse(EINVAL, "a port out of range");
  const auto port = static_cast<std::uint16_t>(query.port);
  if (query.address) {
    const auto address = sys::SocketAddress::ip(*query.address, port);
    if (!address) return refuse(EINVAL, *query.address);
    return open_tcp_at(*address, query, count, reuse_port);
  }
  auto both = open_tcp_at(*sys::SocketAddress::ip("::", port), query, count, reuse_port);
  // libuv tells EADDRINUSE only at listen(), when Node no longer falls back.
  if (both || both.error().code == EADDRINUSE) return both;
  return open_tcp_at(*sys::SocketAddress::ip("0.0.0.0", port), query, count, reuse_port);
}

Result<ListenSockets> open_udp(const wire::ListenQuery& query) {
  const bool v6 = query.type == wire::ListenQuery::Type::udp6;
  const std::string host = query.address.value_or(v6 ? "::" : "0.0.0.0");
  const auto address = sys::SocketAddress::ip(host, static_cast<std::uint16_t>(query.port));
  if (!address) return refuse(EINVAL, host);
  NI_TRY(sys::UniqueFd fd,
         bound_socket(*address, {.type = SOCK_DGRAM,
                                 .reuse_address = (query.flags & wire::kUdpReuseAddress) != 0,
                                 .reuse_port = (query.flags & wire::kUdpReusePort) != 0,
                                 .ipv6_only = (query.flags & wire::kIpv6Only) != 0}));
  ListenSockets group;
  NI_TRY(group.address, sys::local_address(fd.get()));
  group.sockets.push_back(std::move(fd));
  return group;
}

// A socket file on which nobody listens any more: left behind by a container that was killed.
bool is_stale(const sys::SocketAddress& address, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const Result<sys::UniqueFd> fd = sys::make_socket(AF_UNIX, SOCK_STREAM);
  if (!fd) return false;
  const Result<void> done = sys::connect(fd->get(), address);
  return !done && done.error().code == ECONNREFUSED;
}

Result<ListenSockets> open_pipe(const wire::ListenQuery& query, const UserIds* user) {
  const std::string path = query.address.value_or("");
  const auto address = sys::SocketAddress::unix_path(path);
  // libuv uv_pipe_bind(): ENAMETOOLONG from 1.46 on, cut before.
  if (!address) return refuse(path.empty() ? EINVAL : ENAMETOOLONG, path);
  const bool abstract = path.front() == '\0';
  const sys::ActingAs rights(user);
  NI_TRY(sys::UniqueFd fd, sys::make_socket(AF_UNIX, SOCK_STREAM));
  Result<void> bound = sys::bind(fd.get(), *address);
  if (!bound && bound.error().code == EADDRINUSE && !abstract && is_stale(*address, path)) {
    ::unlink(path.c_str());
    bound = sys::bind(fd.get(), *address);
  }
  if (!bound) {
    // uv_pipe_bind(): "Convert ENOENT to EACCES for compat with Windows."
    const int code = bound.error().code;
    return refuse(code == ENOENT ? EACCES : code, path);
  }
  ListenSockets group;
  group.address = *address;
  group.backlog = query.backlog > 0 ? query.backlog : kDefaultBacklog;
  if (!abstract) group.path = path;
  if (user != nullptr) group.user = *user;
  struct stat status {};
  if (!abstract && ::stat(path.c_str(), &status) == 0) {
    const mode_t more = (query.readable_by_all ? S_IRUSR | S_IRGRP | S_IROTH : 0U) |
                        (query.writable_by_all ? S_IWUSR | S_IWGRP | S_IWOTH : 0U);
    if (more != 0) ::chmod(path.c_str(), (status.st_mode & 0666U) | more);
  }
  if (auto done = sys::listen(fd.get(), group.backlog); !done) {
    close_listen_sockets(group);
    return std::move(done).error();
  }
  group.sockets.push_back(std::move(fd));
  return group;
}

Result<ListenSockets> open_inherited(const wire::ListenQuery& query,
                                     std::span<const int> inherited) {
  // node lib/internal/cluster/shared_handle.js: a descriptor that is none of a socket's is
  // UV_EINVAL.
  if (std::ranges::find(inherited, query.descriptor) == inherited.end()) {
    return refuse(EINVAL, "descriptor " + std::to_string(query.descriptor));
  }
  NI_TRY(sys::UniqueFd fd, sys::duplicate(query.descriptor));
  NI_TRY(const int type, sys::get_option(fd.get(), SOL_SOCKET, SO_TYPE));
  ListenSockets group;
  NI_TRY(group.address, sys::local_address(fd.get()));
  if (auto done = sys::set_nonblocking(fd.get()); !done) return std::move(done).error();
  if (type == SOCK_STREAM) {
    group.backlog = query.backlog > 0 ? query.backlog : kDefaultBacklog;
    if (auto done = sys::listen(fd.get(), group.backlog); !done) return std::move(done).error();
  }
  group.tcp = type == SOCK_STREAM && group.address.family() != AF_UNIX;
  group.sockets.push_back(std::move(fd));
  return group;
}

sys::SocketAddress within_the_machine(const ListenSockets& group) {
  const std::string host = group.address.host();
  if (host != "::" && host != "0.0.0.0") return group.address;
  return *sys::SocketAddress::ip(group.ipv6_only ? "::1" : "127.0.0.1",
                                 static_cast<std::uint16_t>(group.address.port()));
}

}  // namespace

Result<ListenSockets> open_listen_sockets(const wire::ListenQuery& query, unsigned count,
                                          bool reuse_port, std::span<const int> inherited,
                                          const UserIds* user) {
  switch (query.type) {
    case wire::ListenQuery::Type::tcp4:
    case wire::ListenQuery::Type::tcp6:
      return open_tcp(query, count, reuse_port);
    case wire::ListenQuery::Type::pipe:
      return open_pipe(query, user);
    case wire::ListenQuery::Type::udp4:
    case wire::ListenQuery::Type::udp6:
      return open_udp(query);
    case wire::ListenQuery::Type::descriptor:
      return open_inherited(query, inherited);
  }
  return refuse(EINVAL, "an unknown type of address");
}

Result<void> extend_listen_sockets(ListenSockets& group, unsigned count) {
  return add_members(group, count, true);
}

Result<std::vector<sys::UniqueFd>> plug_listen_sockets(ListenSockets& group) {
  constexpr int kTries = 4;
  const auto slots = static_cast<std::uint32_t>(group.sockets.size());
  if (auto done = add_members(group, 2 * slots, true); !done) return std::move(done).error();
  const sys::SocketAddress to = within_the_machine(group);
  std::vector<sys::UniqueFd> strangers;
  for (std::uint32_t member = slots; member < 2 * slots; ++member) {
    const int fd = group.sockets[member].get();
    // A second listen(2) changes the backlog. 0: full with one connection.
    if (auto done = sys::listen(fd, 0); !done) return std::move(done).error();
    if (auto done = sys::steer_by_port(fd, std::array{member}); !done) {
      return std::move(done).error();
    }
    for (int i = 0; i < kTries; ++i) {
      NI_TRY(sys::UniqueFd plug, sys::make_socket(to.family(), SOCK_STREAM));
      // Within the machine a handshake is over when connect(2) returns: then a second one succeeds.
      if (sys::connect(plug.get(), to) || sys::connect(plug.get(), to)) {
        group.plugs.push_back(std::move(plug));
        break;
      }
      NI_TRY(std::optional<sys::UniqueFd> stranger, sys::accept(fd));
      if (stranger) strangers.push_back(std::move(*stranger));
    }
  }
  const int first = group.sockets.front().get();
  if (auto done = sys::steer_by_port(first, std::array{slots}); !done) {
    return std::move(done).error();
  }
  return strangers;
}

void close_listen_sockets(ListenSockets& group) {
  for (sys::UniqueFd& socket : group.sockets) socket = sys::UniqueFd();  // in this order
  group.sockets.clear();
  group.plugs.clear();
  if (!group.path.empty()) {
    const sys::ActingAs rights(group.user ? &*group.user : nullptr);
    ::unlink(group.path.c_str());
  }
  group.path.clear();
}

}  // namespace ni::app
