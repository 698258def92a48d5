#include "loop/http_server.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "sys/sockets.h"

namespace ni::loop {
namespace {

constexpr int kBacklog = 128;
constexpr std::uint64_t kTickMs = 1000;  // how often late connections are looked for

Instant now_of(uv_loop_t* loop) {
  return Instant(std::chrono::milliseconds(uv_now(loop)));
}

struct HostAndPort {
  std::string host;  // empty: all addresses
  std::uint16_t port = 0;
};

std::optional<HostAndPort> split_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!port) return std::nullopt;
  return HostAndPort{std::string(host), *port};
}

Result<sys::UniqueFd> listen_on(const sys::SocketAddress& address, bool both_families) {
  NI_TRY(sys::UniqueFd fd, sys::make_socket(address.family(), SOCK_STREAM));
  // A container that is restarted must not wait for the last one's TIME_WAIT.
  (void)sys::set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // bind says what matters
  if (address.is_ipv6()) {
    (void)sys::set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  }
  auto bound = sys::bind(fd.get(), address);
  if (!bound) return std::move(bound).error();
  auto listening = sys::listen(fd.get(), kBacklog);
  if (!listening) return std::move(listening).error();
  return fd;
}

}  // namespace

struct HttpServer::Connection {
  // waiting: for Reply.
  enum class Stage : std::uint8_t { reading, waiting, writing, draining };

  std::uint64_t id = 0;
  sys::UniqueFd fd;
  std::unique_ptr<Poll> poll;  // ends before its descriptor
  Stage stage = Stage::reading;
  Instant deadline;
  wire::HttpRequestReader reader;
  std::string answer;
  std::size_t sent = 0;
  Place place;
};

Result<std::unique_ptr<HttpServer>> HttpServer::listen(uv_loop_t* loop, std::string_view address,
                                                       Handler handler) {
  const Error wrong{.operation = "listen on",
                    .subject = std::string(address),
                    .code = 0,
                    .reason = "not HOST:PORT with a numeric host"};
  const std::optional<HostAndPort> parts = split_address(address);
  if (!parts) return wrong;
  const bool all = parts->host.empty() || parts->host == "*";
  const auto wanted = sys::SocketAddress::ip(all ? "::" : parts->host, parts->port);
  if (!wanted) return wrong;
  Result<sys::UniqueFd> fd = listen_on(*wanted, all);
  if (!fd && all && (fd.error().code == EAFNOSUPPORT || fd.error().code == EADDRNOTAVAIL)) {
    fd = listen_on(*sys::SocketAddress::ip("0.0.0.0", parts->port), false);  // IPv6 is off
  }
  if (!fd) return std::move(fd).error();
  return std::unique_ptr<HttpServer>(
      new HttpServer(loop, *std::move(fd), std::move(handler)));  // a private constructor
}

HttpServer::HttpServer(uv_loop_t* loop, sys::UniqueFd listener, Handler handler)
    : loop_(loop),
      listener_(std::move(listener)),
      handler_(std::move(handler)),
      acceptable_(loop, listener_.get(), [this](int) { on_acceptable(); }),
      timer_(std::make_unique<uv_timer_t>().release(), [](uv_timer_t* timer) {
        uv_close(reinterpret_cast<uv_handle_t*>(timer), [](uv_handle_t* handle) {
          const std::unique_ptr<uv_timer_t> last(reinterpret_cast<uv_timer_t*>(handle));
        });
      }) {
  uv_timer_init(loop_, timer_.get());
  timer_->data = this;
  acceptable_.watch(UV_READABLE);
}

HttpServer::~HttpServer() = default;

std::string HttpServer::address() const {
  const auto address = sys::local_address(listener_.get());
  return address ? sys::to_string(*address) : std::string();
}

void HttpServer::on_acceptable() {
  for (int i = 0; i < kMostAccepts; ++i) {
    auto accepted = sys::accept(listener_.get());
    if (!accepted) {
      // No descriptor left: make one free, or the listener would be ready for ever, and burn CPU.
      if (connections_.empty()) acceptable_.watch(0);
      if (!connections_.empty()) make_room();
      if (uv_is_active(reinterpret_cast<uv_handle_t*>(timer_.get())) == 0) {
        uv_timer_start(
            timer_.get(),
            [](uv_timer_t* t) { static_cast<HttpServer*>(t->data)->close_late_ones(); }, kTickMs,
            kTickMs);
      }
      return;
    }
    if (!*accepted) return;
    add(std::move(**accepted));
  }
}

void HttpServer::add(sys::UniqueFd fd) {
  if (connections_.size() >= kMostConnections) make_room();
  auto connection = std::make_unique<Connection>();
  connection->id = next_id_++;
  connection->fd = std::move(fd);
  connection->deadline = now_of(loop_) + kRequestTime;
  Connection& added = *connection;
  connections_.push_back(std::move(connection));
  added.place = std::prev(connections_.end());
  added.poll =
      std::make_unique<Poll>(loop_, added.fd.get(), [this, &added](int) { on_ready(added); });
  added.poll->watch(UV_READABLE);
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(timer_.get())) == 0) {
    uv_timer_start(
        timer_.get(), [](uv_timer_t* t) { static_cast<HttpServer*>(t->data)->close_late_ones(); },
        kTickMs, kTickMs);
  }
}

// The oldest that has not sent its request goes; if all have, the oldest of all.
void HttpServer::make_room() {
  auto victim = std::ranges::find_if(connections_, [](const auto& connection) {
    return connection->stage == Connection::Stage::reading ||
           connection->stage == Connection::Stage::draining;
  });
  if (victim == connections_.end()) victim = connections_.begin();
  counters_.evicted += (*victim)->stage == Connection::Stage::draining ? 0 : 1;
  close(**victim);
}

void HttpServer::close(Connection& connection) {
  connections_.erase(connection.place);
}

void HttpServer::close_late_ones() {
  const Instant now = now_of(loop_);
  for (auto it = connections_.begin(); it != connections_.end();) {
    Connection& connection = **it++;
    if (connection.deadline > now) continue;
    counters_.evicted += connection.stage == Connection::Stage::draining ? 0 : 1;
    close(connection);
  }
  acceptable_.watch(UV_READABLE);
  if (connections_.empty()) uv_timer_stop(timer_.get());
}

void HttpServer::on_ready(Connection& connection) {
  bool goes_on = true;
  if (connection.stage == Connection::Stage::reading) goes_on = read_request(connection);
  if (goes_on && connection.stage == Connection::Stage::writing) goes_on = write_answer(connection);
  if (goes_on && connection.stage == Connection::Stage::draining) goes_on = drain(connection);
  if (!goes_on) close(connection);
}

bool HttpServer::read_request(Connection& connection) {
  std::array<char, wire::HttpRequestReader::kMostBytes> buffer;
  const auto received = sys::receive(connection.fd.get(), buffer);
  if (!received) return false;
  if (received->bytes == 0) return !received->end;
  const auto progress = connection.reader.feed({buffer.data(), received->bytes});
  if (progress == wire::HttpRequestReader::Progress::more) return !received->end;
  connection.stage = Connection::Stage::waiting;
  connection.deadline = now_of(loop_) + kAnswerTime;
  connection.poll->watch(0);
  if (progress == wire::HttpRequestReader::Progress::refused) {
    ++counters_.refused;
    take(connection, {.status = connection.reader.refusal(), .body = "not understood\n"});
  } else {
    ++counters_.requests;
    handling_ = connection.id;
    handler_(
        connection.reader.request(),
        [this, id = connection.id](const wire::HttpResponse& response) { reply(id, response); });
    handling_ = 0;
  }
  return true;
}

void HttpServer::take(Connection& connection, const wire::HttpResponse& response) {
  connection.answer = wire::http_response_text(response, connection.reader.request().head);
  connection.stage = Connection::Stage::writing;
  connection.deadline = now_of(loop_) + kAnswerTime;
}

void HttpServer::reply(std::uint64_t id, const wire::HttpResponse& response) {
  const auto found = std::ranges::find(connections_, id, [](const auto& each) { return each->id; });
  if (found == connections_.end() || (*found)->stage != Connection::Stage::waiting) return;
  take(**found, response);
  if (id != handling_) on_ready(**found);  // else read_request()'s caller goes on with it
}

bool HttpServer::write_answer(Connection& connection) {
  const auto sent =
      sys::send(connection.fd.get(), std::string_view(connection.answer).substr(connection.sent));
  if (!sent) return false;
  connection.sent += *sent;
  if (connection.sent < connection.answer.size()) {
    connection.poll->watch(UV_WRITABLE);
    return true;
  }
  connection.answer = {};
  // A close with unread bytes in the queue sends RST, which can overtake the answer: say that we
  // are done, and read until the other side is.
  (void)shutdown(connection.fd.get(), SHUT_WR);  // not connected any more: drain() finds out
  connection.stage = Connection::Stage::draining;
  connection.deadline = now_of(loop_) + kTickMs * 1ms;
  connection.poll->watch(UV_READABLE);
  return true;
}

bool HttpServer::drain(Connection& connection) {
  std::array<char, 4096> scratch;
  const auto received = sys::receive(connection.fd.get(), scratch);
  return received && !received->end;
}

}  // namespace ni::loop
