#include "sys/socket_diag.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "sys/fd.h"

namespace ni::sys {

DumpHeard hear_dump(std::span<const char> datagram,
                    const std::function<void(std::span<const char>)>& found) {
  while (datagram.size() >= sizeof(::nlmsghdr)) {
    ::nlmsghdr header{};
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) {
      return DumpHeard::refused;
    }
    if (header.nlmsg_type == NLMSG_DONE) {
      return DumpHeard::end;
    }
    if (header.nlmsg_type == NLMSG_ERROR) {
      return DumpHeard::refused;
    }
    found(datagram.subspan(sizeof header, header.nlmsg_len - sizeof header));
    const std::size_t aligned = NLMSG_ALIGN(std::size_t{header.nlmsg_len});
    datagram = datagram.subspan(std::min(aligned, datagram.size()));
  }
  return DumpHeard::more;
}

bool dump_sockets(std::span<const char> request,
                  const std::function<void(std::span<const char>)>& found) {
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  // The kernel answers within the call that asks; a wait is not expected, and short.
  const ::timeval patience{.tv_sec = 0, .tv_usec = 20'000};
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
    return false;
  }
  ::nlmsghdr header{};
  header.nlmsg_len = static_cast<__u32>(sizeof header + request.size());
  header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  message.append(request.data(), request.size());
  if (::send(fd.get(), message.data(), message.size(), 0) != static_cast<ssize_t>(message.size())) {
    return false;
  }
  std::array<char, 32768> buffer{};  // NLMSG_GOODSIZE is at most a page, dumps take up to this
  for (;;) {
    const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) {
      return false;
    }
    const DumpHeard heard =
        hear_dump(std::span(buffer).first(static_cast<std::size_t>(size)), found);
    if (heard != DumpHeard::more) {
      return heard == DumpHeard::end;
    }
  }
}

}  // namespace ni::sys
