#include "sys/local_sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "sys/read_file.h"
#include "sys/sockets.h"

namespace ni::sys {
namespace {

constexpr int kBacklog = 16;

Result<SocketAddress> address_of(const std::string& text) {
  std::string path = text;
  if (path.starts_with('@')) {
    path.front() = '\0';
  }
  const auto address = SocketAddress::unix_path(path);
  if (!address) {
    return Error{.operation = "use", .subject = text, .code = ENAMETOOLONG, .reason = {}};
  }
  return *address;
}

std::optional<std::uint64_t> inode_of(const char* path) {
  struct ::stat status {};
  if (::stat(path, &status) != 0) {
    return std::nullopt;
  }
  return status.st_ino;
}

// A file of somebody refuses connections, too, and stays.
bool is_socket(const char* path) {
  struct ::stat status {};
  return ::lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

Result<Peer> peer_of(int fd) {
  ::ucred credentials{};
  ::socklen_t length = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return Error{.operation = "ask who is at", .subject = "a socket", .code = errno, .reason = {}};
  }
  return Peer{.pid = credentials.pid, .user = credentials.uid};
}

std::uint32_t effective_user() {
  return ::geteuid();
}

std::optional<std::uint64_t> pid_namespace() {
  return inode_of("/proc/self/ns/pid");
}

std::optional<std::uint64_t> mount_namespace() {
  return inode_of("/proc/self/ns/mnt");
}

Result<UniqueFd> listen_local(const std::string& text) {
  NI_TRY(const SocketAddress address, address_of(text));
  NI_TRY(UniqueFd fd, make_socket(AF_UNIX, SOCK_STREAM));
  const bool is_path = !text.starts_with('@');
  // fchmod(2) on the socket before bind(2) decides the mode of the path: never open to others, not
  // for an instant.
  if (is_path) {
    (void)::fchmod(fd.get(), 0600);
  }
  auto bound = bind(fd.get(), address);
  if (!bound && is_path && bound.error().code == EADDRINUSE) {
    const auto probe = connect_local(text);
    if (!probe && probe.error().code == ECONNREFUSED && is_socket(text.c_str())) {
      (void)::unlink(text.c_str());  // bind() tells if it could not
      bound = bind(fd.get(), address);
    }
  }
  if (!bound) {
    return std::move(bound).error();
  }
  if (auto listening = listen(fd.get(), kBacklog); !listening) {
    return std::move(listening).error();
  }
  return fd;
}

Result<UniqueFd> connect_local(const std::string& text) {
  NI_TRY(const SocketAddress address, address_of(text));
  NI_TRY(UniqueFd fd, make_socket(AF_UNIX, SOCK_STREAM));
  if (auto connected = connect(fd.get(), address); !connected) {
    return std::move(connected).error();
  }
  return fd;
}

std::vector<std::string> parse_abstract_names(std::string_view table, std::string_view beginning) {
  std::vector<std::string> found;
  for (const std::string_view line : split(table, '\n')) {
    // Num RefCount Protocol Flags Type St Inode Path
    const std::vector<std::string_view> fields = split_words(line);
    if (fields.size() == 8 && fields[7].starts_with(beginning)) {
      found.emplace_back(fields[7]);
    }
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> abstract_names(std::string_view beginning) {
  constexpr std::size_t kMostTable = std::size_t{8} << 20U;
  const auto table = read_file("/proc/self/net/unix", kMostTable);
  return table ? parse_abstract_names(*table, beginning) : std::vector<std::string>();
}

}  // namespace ni::sys
