#include "sys/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include <set>

#include "support/catch.h"

using namespace ni;
using namespace ni::sys;

namespace {

// `count` sockets of one SO_REUSEPORT group on a free port, bound first and then listening in
// order.
std::vector<UniqueFd> group(std::string_view host, unsigned count, int& port) {
  std::vector<UniqueFd> members;
  SocketAddress address = *SocketAddress::ip(host, 0);
  for (unsigned i = 0; i < count; ++i) {
    Result<UniqueFd> fd = make_socket(address.family(), SOCK_STREAM);
    REQUIRE(fd);
    REQUIRE(set_option(fd->get(), SOL_SOCKET, SO_REUSEPORT, 1));
    if (address.is_ipv6()) REQUIRE(set_option(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, 0));
    REQUIRE(sys::bind(fd->get(), address));
    address.set_port(static_cast<std::uint16_t>(local_address(fd->get())->port()));
    members.push_back(std::move(*fd));
  }
  for (const UniqueFd& member : members) REQUIRE(sys::listen(member.get(), 128));
  port = address.port();
  return members;
}

UniqueFd client(std::string_view host, int port, const char* from = nullptr) {
  const SocketAddress address = *SocketAddress::ip(host, static_cast<std::uint16_t>(port));
  UniqueFd fd(*make_socket(address.family(), SOCK_STREAM));
  if (from != nullptr) REQUIRE(sys::bind(fd.get(), *SocketAddress::ip(from, 0)));
  (void)sys::connect(fd.get(), address);  // EINPROGRESS: over loopback it is done at once
  return fd;
}

std::vector<unsigned> lengths(const std::vector<UniqueFd>& members) {
  std::vector<int> fds;
  for (const UniqueFd& member : members) fds.push_back(member.get());
  return *accept_queue_lengths(fds);
}

}  // namespace

TEST_CASE("addresses are read and written") {
  CHECK(to_string(*SocketAddress::ip("127.0.0.1", 80)) == "127.0.0.1:80");
  CHECK(to_string(*SocketAddress::ip("::", 80)) == "[::]:80");
  CHECK(SocketAddress::ip("fe80::1%1", 80)->is_ipv6());
  CHECK_FALSE(SocketAddress::ip("localhost", 80));
  CHECK(to_string(*SocketAddress::unix_path("/tmp/a")) == "/tmp/a");
  CHECK(to_string(*SocketAddress::unix_path(std::string("\0a", 2))) == "@a");
  CHECK_FALSE(SocketAddress::unix_path(std::string(108, 'x')));
  CHECK_FALSE(SocketAddress::unix_path(""));
}

TEST_CASE("a descriptor rides on a socket pair and arrives close-on-exec") {
  Result<SocketPair> pair = make_socket_pair();
  REQUIRE(pair);
  CHECK(sys::send(pair->first.get(), "line\n", pair->first.get()).value_or(0) == 5);
  std::array<char, 64> buffer{};
  Result<Received> received = receive(pair->second.get(), buffer);
  REQUIRE(received);
  CHECK(received->bytes == 5);
  REQUIRE(received->descriptors.size() == 1);
  CHECK((::fcntl(received->descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(receive(pair->second.get(), buffer)->bytes == 0);
  CHECK_FALSE(receive(pair->second.get(), buffer)->end);
  pair->first.reset();
  received->descriptors.clear();
  CHECK(receive(pair->second.get(), buffer)->end);
  CHECK_FALSE(sys::send(pair->second.get(), "x"));
}

TEST_CASE("an accepted connection is close-on-exec: no worker inherits a client") {
  int port = 0;
  const std::vector<UniqueFd> listening = group("127.0.0.1", 1, port);
  const auto client = make_socket(AF_INET, SOCK_STREAM);
  REQUIRE(client);
  (void)sys::connect(client->get(),
                     *SocketAddress::ip("127.0.0.1", static_cast<std::uint16_t>(port)));
  pollfd waiting{.fd = listening[0].get(), .events = POLLIN, .revents = 0};
  REQUIRE(::poll(&waiting, 1, 5000) == 1);
  const auto accepted = sys::accept(listening[0].get());
  REQUIRE(accepted);
  REQUIRE(*accepted);
  CHECK((::fcntl((*accepted)->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a full socket takes no more and keeps the descriptor back") {
  Result<SocketPair> pair = make_socket_pair();
  const std::string block(65536, 'x');
  while (sys::send(pair->first.get(), block).value_or(0) > 0) {
  }
  const Result<std::size_t> sent = sys::send(pair->first.get(), block, pair->first.get());
  REQUIRE(sent);
  CHECK(*sent == 0);
}

TEST_CASE("connections go to the members named, in the order of listen, and to them alone",
          "[not-emulated]") {
  int port = 0;
  const std::vector<UniqueFd> members = group("::", 4, port);
  const std::vector<std::uint32_t> named{1, 3};
  REQUIRE(steer_by_port(members[2].get(), named));
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(client("127.0.0.1", port));
  const std::vector<unsigned> waiting = lengths(members);
  CHECK(waiting[0] == 0);
  CHECK(waiting[2] == 0);
  CHECK(waiting[1] > 8);
  CHECK(waiting[3] > 8);
  CHECK(waiting[1] + waiting[3] == 64);
  const std::vector<std::uint32_t> one{0};
  REQUIRE(steer_by_port(members[0].get(), one));
  clients.push_back(client("::1", port));
  CHECK(lengths(members)[0] == 1);
  const std::vector<int> fds{members[0].get(), members[2].get()};
  CHECK(*accept_queue_lengths(fds) == std::vector<unsigned>{1, 0});
  CHECK(accept(members[0].get())->has_value());
  CHECK_FALSE(accept(members[0].get())->has_value());
}

TEST_CASE("one client's connections are spread for every step of its ports, v4 and v6",
          "[not-emulated]") {
  const int step = GENERATE(1, 2, 4, 8, 16);
  int port = 0;
  const std::vector<UniqueFd> members = group("::", 4, port);
  const std::vector<std::uint32_t> named{0, 1, 3};
  REQUIRE(steer_by_port(members[0].get(), named));
  for (const char* host : {"127.0.0.1", "::1"}) {
    std::vector<UniqueFd> clients;
    const std::vector<unsigned> before = lengths(members);
    for (int i = 0; i < 24; ++i) {
      SocketAddress from = *SocketAddress::ip(host, 0);
      UniqueFd fd(*make_socket(from.family(), SOCK_STREAM));
      from.set_port(static_cast<std::uint16_t>(20000 + step * i));
      if (!sys::bind(fd.get(), from)) continue;  // somebody else has it
      (void)sys::connect(fd.get(), *SocketAddress::ip(host, static_cast<std::uint16_t>(port)));
      clients.push_back(std::move(fd));
    }
    REQUIRE(clients.size() > 12);
    const std::vector<unsigned> after = lengths(members);
    for (const std::uint32_t member : named) {
      CHECK(after[member] - before[member] >= clients.size() / 6);
      CHECK(after[member] - before[member] <= clients.size() / 2);
    }
    CHECK(after[2] == before[2]);
  }
}

TEST_CASE("clients of one address stay with one member, v4 and v6, and addresses spread",
          "[not-emulated]") {
  int port = 0;
  const std::vector<UniqueFd> members = group("::", 4, port);
  const std::vector<std::uint32_t> all{0, 1, 2, 3};
  REQUIRE(steer_by_address(members[0].get(), all));
  std::vector<UniqueFd> clients;
  std::set<std::size_t> used;
  for (int address = 1; address <= 16; ++address) {
    const std::vector<unsigned> before = lengths(members);
    const std::string from = "127.0.0." + std::to_string(address);
    for (int i = 0; i < 4; ++i) clients.push_back(client("127.0.0.1", port, from.c_str()));
    const std::vector<unsigned> after = lengths(members);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (after[i] == before[i]) continue;
      ++changed;
      used.insert(i);
      CHECK(after[i] == before[i] + 4);
    }
    CHECK(changed == 1);
  }
  CHECK(used.size() == 4);
  const std::vector<unsigned> before = lengths(members);
  for (int i = 0; i < 8; ++i) clients.push_back(client("::1", port));
  std::size_t changed = 0;
  const std::vector<unsigned> after = lengths(members);
  for (std::size_t i = 0; i < after.size(); ++i) changed += after[i] == before[i] ? 0 : 1;
  CHECK(changed == 1);
}
