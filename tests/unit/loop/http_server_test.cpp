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
        &loop, "127.0.0.1:0",
        [](const wire::HttpRequest& request) -> std::optional<wire::HttpResponse> {
          if (request.path == "/later") return std::nullopt;
          return wire::HttpResponse{.body = request.path == "/big" ? std::string(3'000'000, 'x')
                                                                   : "you asked " + request.path};
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
  // Clients that have sent the request and read nothing.
  std::vector<sys::UniqueFd> crowd(std::size_t count, std::string_view request) {
    std::vector<sys::UniqueFd> clients;
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(connect());
      (void)sys::send(clients.back().get(), request);
      turn(2);
    }
    return clients;
  }
  void answer_waiting(const wire::HttpResponse& response) {
    server->answer_waiting([&](const wire::HttpRequest&) -> const auto& { return response; });
  }
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

TEST_CASE("half a request is not waited for longer than its time") {
  Site site;
  const sys::UniqueFd slow = site.connect();
  site.turn();
  (void)sys::send(slow.get(), "GET /livez HTTP/1.1\r\n");
  site.turn();
  REQUIRE(site.server->connections() == 1);
  const std::uint64_t begin = uv_now(&site.loop);
  const auto latest = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(HttpServer::kRequestTime).count());
  while (site.server->connections() == 1 && uv_now(&site.loop) < begin + 3 * latest) {
    uv_run(&site.loop, UV_RUN_ONCE);
  }
  CHECK(site.server->connections() == 0);
  CHECK(uv_now(&site.loop) >= begin + latest - 100);
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
  CHECK(site.ask("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("you asked /livez"));
  site.answer_waiting({.body = "at last"});
  site.answer_waiting({.body = "twice"});
  CHECK(site.read_all(patient.get()).ends_with("\r\n\r\nat last"));
}

TEST_CASE("two requests in one packet: the first is answered as asked") {
  Site site;
  const std::string one = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string answer = site.ask(one + one);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("Connection: close\r\n") != answer.npos);
  CHECK(answer.ends_with("you asked /livez"));
  CHECK(site.server->counters().requests == 1);
}

TEST_CASE("readers are bounded, and one too many is told to come again") {
  Site site;
  const auto waiting = site.crowd(HttpServer::kMostReaders, "GET /later HTTP/1.0\r\n\r\n");
  const std::string answer = site.ask("GET /later HTTP/1.0\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.find("\r\nRetry-After: 1\r\n") != answer.npos);
  CHECK(site.ask("GET /livez HTTP/1.0\r\n\r\n").ends_with("you asked /livez"));
  site.answer_waiting({.body = "for all"});
  for (const auto& client : waiting) CHECK(site.read_all(client.get()).ends_with("for all"));
}

TEST_CASE("neither readers nor silent clients keep a probe out, in whatever order they come") {
  Site site;
  const auto before = site.crowd(HttpServer::kMostConnections, "GET /");
  const auto readers = site.crowd(HttpServer::kMostReaders, "GET /later HTTP/1.0\r\n\r\n");
  const sys::UniqueFd probe = site.connect();
  site.turn(2);
  const auto after = site.crowd(HttpServer::kMostConnections - HttpServer::kMostReaders - 1, "");
  REQUIRE(sys::send(probe.get(), "GET /livez HTTP/1.0\r\n\r\n"));
  CHECK(site.read_all(probe.get()).ends_with("you asked /livez"));
  // Those who wait for their answer were in nobody's way either: the silent ones went.
  site.answer_waiting({.body = "for all"});
  for (const auto& client : readers) CHECK(site.read_all(client.get()).ends_with("for all"));
}

TEST_CASE("where descriptors are scarce fewer connections are kept") {
  Site site;
  site.server->allow(30);
  const auto silent = site.crowd(40, "GET /");
  CHECK(site.server->connections() == 30);
  const auto readers = site.crowd(20, "GET /later HTTP/1.0\r\n\r\n");
  CHECK(site.ask("GET /later HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 503 "));
  CHECK(site.ask("GET /livez HTTP/1.0\r\n\r\n").ends_with("you asked /livez"));
  site.server->allow(0);
  CHECK(site.ask("GET /livez HTTP/1.0\r\n\r\n").ends_with("you asked /livez"));
}

TEST_CASE("an answer for many is kept once, and what nobody takes is bounded") {
  Site site;
  std::vector<sys::UniqueFd> clients;
  const wire::HttpResponse large{.body = std::string(20'000'000, 'x')};
  for (int round = 0; round < 4; ++round) {
    for (auto& each : site.crowd(10, "GET /later HTTP/1.0\r\n\r\n")) {
      clients.push_back(std::move(each));
    }
    site.answer_waiting(large);
    site.turn(50);
    CHECK(site.server->kept() > large.body.size());
    CHECK(site.server->kept() <= HttpServer::kMostKept);
    CHECK(site.server->connections() <= 10);
  }
  CHECK(site.server->counters().evicted == 30);
  // Nor does what others ask cost a reader his answer.
  CHECK(site.ask("GET /livez HTTP/1.0\r\n\r\n").ends_with("you asked /livez"));
  CHECK(site.read_all(clients.back().get()).size() > large.body.size());
  CHECK(site.ask("GET /livez HTTP/1.0\r\n\r\n").ends_with("you asked /livez"));
}

TEST_CASE("an answer beyond all bounds is not sent") {
  Site site;
  const auto clients = site.crowd(1, "GET /later HTTP/1.0\r\n\r\n");
  site.answer_waiting({.body = std::string(HttpServer::kMostAnswer + 1, 'x')});
  CHECK(site.read_all(clients.front().get()).starts_with("HTTP/1.1 503 "));
  CHECK(site.server->kept() == 0);
}
