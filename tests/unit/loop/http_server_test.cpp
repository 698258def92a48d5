#include "loop/http_server.h"

#include <string>
#include <vector>

#include "support/catch.h"
#include "sys/sockets.h"

using namespace ni;
using namespace ni::loop;

namespace {

struct Site {
  Site() {
    REQUIRE(uv_loop_init(&loop) == 0);
    auto listening = HttpServer::listen(
        &loop, "127.0.0.1:0", [this](const wire::HttpRequest& request, HttpServer::Reply reply) {
          if (request.path == "/later") {
            later.push_back(std::move(reply));
          } else {
            reply({.body = request.path == "/big" ? std::string(3'000'000, 'x')
                                                  : "you asked " + request.path});
          }
        });
    REQUIRE(listening);
    server = *std::move(listening);
  }
  ~Site() {
    server.reset();
    turn();
    CHECK(uv_loop_close(&loop) == 0);
  }
  void turn(int times = 5) {
    for (int i = 0; i < times; ++i) uv_run(&loop, UV_RUN_NOWAIT);
  }
  sys::UniqueFd connect() {
    const std::string address = server->address();
    const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    auto fd = sys::make_socket(AF_INET, SOCK_STREAM);
    REQUIRE(fd);
    (void)sys::connect(fd->get(), *sys::SocketAddress::ip("127.0.0.1", port));  // EINPROGRESS
    return *std::move(fd);
  }
  // Until the other side has closed.
  std::string read_all(int fd) {
    std::string out;
    std::vector<char> buffer(100'000);
    for (int i = 0; i < 2000; ++i) {
      turn(1);
      auto received = sys::receive(fd, buffer);
      if (!received) break;
      out.append(buffer.data(), received->bytes);
      if (received->end) break;
    }
    return out;
  }
  std::string ask(std::string_view request) {
    const sys::UniqueFd fd = connect();
    turn();
    REQUIRE(sys::send(fd.get(), request));
    return read_all(fd.get());
  }
  std::vector<HttpServer::Reply> later;
  uv_loop_t loop{};
  std::unique_ptr<HttpServer> server;
};

}  // namespace

TEST_CASE("a request is answered and the connection ends") {
  Site site;
  const std::string answer = site.ask("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with("you asked /livez"));
  CHECK(site.ask("HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("\r\n\r\n"));
  CHECK(site.ask("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(site.server->counters().requests == 2);
  CHECK(site.server->counters().refused == 1);
}

TEST_CASE("an answer larger than the socket's buffer arrives whole") {
  Site site;
  const std::string answer = site.ask("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(answer.size() > 3'000'000);
}

TEST_CASE("connections that send nothing do not keep others out") {
  Site site;
  std::vector<sys::UniqueFd> silent;
  for (std::size_t i = 0; i < HttpServer::kMostConnections + 40; ++i) {
    silent.push_back(site.connect());
    (void)sys::send(silent.back().get(), "GET /");
    site.turn(2);
  }
  CHECK(site.server->connections() == HttpServer::kMostConnections);
  CHECK(site.ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("you asked /livez"));
  CHECK(site.server->counters().evicted >= 40);
}

TEST_CASE("an address that is none is an error") {
  Site site;
  for (const char* wrong : {"", "9464", "localhost:9464", "127.0.0.1:99999", "[::1"}) {
    CHECK_FALSE(HttpServer::listen(&site.loop, wrong, {}));
  }
  const auto taken = HttpServer::listen(&site.loop, site.server->address(), {});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == EADDRINUSE);
}

TEST_CASE("an answer may come later, and for a client that has gone not at all") {
  Site site;
  const sys::UniqueFd patient = site.connect();
  {
    const sys::UniqueFd gone = site.connect();
    site.turn();
    REQUIRE(sys::send(patient.get(), "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(sys::send(gone.get(), "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"));
    site.turn();
  }
  REQUIRE(site.later.size() == 2);
  CHECK(site.ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("you asked /livez"));
  for (const auto& reply : site.later) {
    reply({.body = "at last"});
    reply({.body = "twice"});
  }
  CHECK(site.read_all(patient.get()).ends_with("\r\n\r\nat last"));
}
