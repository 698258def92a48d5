#include "sys/listening.h"

#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "support/catch.h"
#include "sys/fd.h"
#include "sys/socket_diag.h"

using namespace ni;
using namespace ni::sys;

namespace {

// A listening socket on a port of the kernel's choice, and that port.
std::pair<UniqueFd, int> listen_somewhere(bool reuse_port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = reuse_port ? 1 : 0;
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  REQUIRE(::bind(fd.get(), name, length) == 0);
  REQUIRE(::listen(fd.get(), 1) == 0);
  REQUIRE(::getsockname(fd.get(), name, &length) == 0);
  return {std::move(fd), ntohs(address.sin_port)};
}

}  // namespace

TEST_CASE("the listening sockets of a table of the kernel are found") {
  const auto found = parse_listening(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
      "4242 1 "
      "0000000000000000 100 0 0 10 0\n"
      "   1: 0100007F:0BB9 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 "
      "4243 1\n"
      "   2: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 77 1 0\n"
      "   3: nonsense 0A\n"
      "   4: 0100007F:XYZ 00000000:0000 0A 0:0 0:0 0 0 0 5 1\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].inode == 4242);
  CHECK(found[0].port == 3000);
  CHECK(found[1].inode == 77);
  CHECK(found[1].port == 8080);
  CHECK(parse_listening("").empty());
}

TEST_CASE("the listening Unix sockets of a table of the kernel are found") {
  const auto found = parse_listening_unix(
      "Num       RefCount Protocol Flags    Type St Inode Path\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 4242 /run/app.sock\n"
      "0000000000000000: 00000003 00000000 00000000 0001 03 4243 /run/app.sock\n"
      "0000000000000000: 00000002 00000000 00010000 0005 01    77\n"
      "0000000000000000: 00000002 00000000 00010000 0001 01 many /a\n"
      "nonsense 00010000\n");
  CHECK(found == std::vector<std::uint64_t>{4242, 77});
  CHECK(parse_listening_unix("").empty());
}

TEST_CASE("the kernel is asked for sockets by state, and refuses nonsense") {
  const auto [fd, port] = listen_somewhere(false);
  ::inet_diag_req_v2 request{};
  request.sdiag_family = AF_INET;
  request.sdiag_protocol = IPPROTO_TCP;
  const auto is_found = [&](unsigned states) {
    request.idiag_states = states;
    bool found = false;
    const bool answered = dump_sockets({reinterpret_cast<const char*>(&request), sizeof request},
                                       [&](std::span<const char> bytes) {
                                         ::inet_diag_msg socket{};
                                         REQUIRE(bytes.size() >= sizeof socket);
                                         std::memcpy(&socket, bytes.data(), sizeof socket);
                                         found = found || ntohs(socket.id.idiag_sport) == port;
                                       });
    return answered ? std::optional(found) : std::nullopt;
  };
  if (const auto found = is_found(1U << 10U)) {  // TCP_LISTEN
    CHECK(*found);
    CHECK(is_found(1U << 1U) == false);  // TCP_ESTABLISHED
    CHECK_FALSE(dump_sockets({}, [](std::span<const char>) { FAIL("an answer"); }));
  }
}

TEST_CASE("what a process listens on is seen from outside") {
  const auto [fd, port] = listen_somewhere(false);
  const auto self = Pid::from(::getpid());
  REQUIRE(self);
  const auto own = sockets_of(*self);
  const auto all = listening_sockets();
  const auto found = std::ranges::find(all, port, &ListeningSocket::port);
  REQUIRE(found != all.end());
  CHECK(std::ranges::find(own, found->inode) != own.end());
}

TEST_CASE("a port can be shared when its owner has set SO_REUSEPORT") {
  const auto [shared, shared_port] = listen_somewhere(true);
  const auto [alone, own_port] = listen_somewhere(false);
  CHECK(can_share_port(shared_port));
  CHECK_FALSE(can_share_port(own_port));
}
