#include "app/connections/listen_sockets.h"

#include <sys/socket.h>
#include <array>

#include "support/catch.h"

using namespace ni;
using namespace ni::app;

namespace {

sys::UniqueFd client(std::string_view host, int port) {
  const auto address = *sys::SocketAddress::ip(host, static_cast<std::uint16_t>(port));
  sys::UniqueFd fd(*sys::make_socket(address.family(), SOCK_STREAM));
  (void)sys::connect(fd.get(), address);  // EINPROGRESS: over loopback it is done at once
  return fd;
}

}  // namespace

TEST_CASE("a plugged group keeps the connections it has and takes no new ones", "[not-emulated]") {
  const auto [address, host] = GENERATE(table<std::optional<std::string>, std::string>(
      {{std::nullopt, "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "127.0.0.1"}}));
  Result<ListenSockets> group = open_listen_sockets({.address = address, .port = 0}, 2, true, {});
  REQUIRE(group);
  REQUIRE(sys::steer_by_port(group->sockets[0].get(), std::vector<std::uint32_t>{0, 1}));
  const int port = group->address.port();
  std::vector<sys::UniqueFd> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(client(host, port));
  const auto waiting_at = [&](std::size_t member) {
    return sys::accept_queue_lengths(std::array{group->sockets[member].get()})->front();
  };
  const auto waiting = [&] { return waiting_at(0) + waiting_at(1); };
  REQUIRE(waiting() == 8);
  const auto done = plug_listen_sockets(*group);
  INFO((done ? "" : to_string(done.error())));
  REQUIRE(done);
  for (int i = 0; i < 8; ++i) clients.push_back(client(host, port));
  CHECK(waiting() == 8);
  CHECK(done->empty());
  CHECK(waiting_at(2) == 1);  // our own
  int accepted = 0;
  for (const int member : {0, 1}) {
    while ((*sys::accept(group->sockets[static_cast<std::size_t>(member)].get())).has_value()) {
      ++accepted;
    }
  }
  CHECK(accepted == 8);
  // Nor does a slot's socket get one when others have gone.
  group->sockets[1] = sys::UniqueFd();
  for (int i = 0; i < 8; ++i) clients.push_back(client(host, port));
  CHECK(waiting_at(0) == 0);
}
