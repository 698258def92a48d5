#include "loop/http_server.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"
#include "sys/sockets.h"

namespace ni::loop {
namespace {

constexpr int kBacklog = 512;            // a crowd that comes at once must not cost a probe its SYN
constexpr std::uint64_t kTickMs = 1000;  // how often late connections are looked for

constexpr std::size_t kFewestConnections = 16;

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
  // waiting: for answer_waiting(). draining: it has its answer.
  enum class Stage : std::uint8_t { reading, waiting, writing, draining };

  sys::UniqueFd fd;
  std::unique_ptr<Poll> poll;  // ends before its descriptor
  Stage stage = Stage::reading;
  Instant since;  // it came, asked, or took something
  Instant deadline;
  wire::HttpRequestReader reader;
  Text* text = nullptr;  // of writing
  std::size_t sent = 0;
  Place place;

  bool is_reader() const { return stage == Stage::waiting || stage == Stage::writing; }
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

void HttpServer::allow(std::size_t connections) {
  most_connections_ = std::clamp(connections, kFewestConnections, kMostConnections);
  most_readers_ = std::min(most_connections_ * 2 / 3, kMostReaders);
}

void HttpServer::run_timer() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(timer_.get())) == 0) {
    uv_timer_start(
        timer_.get(), [](uv_timer_t* t) { static_cast<HttpServer*>(t->data)->close_late_ones(); },
        kTickMs, kTickMs);
  }
}

void HttpServer::on_acceptable() {
  for (int i = 0; i < kMostAccepts; ++i) {
    auto accepted = sys::accept(listener_.get());
    if (!accepted) {
      // No descriptor left: make one free, or the listener would be ready for ever, and burn CPU.
      if (connections_.empty()) acceptable_.watch(0);
      if (!connections_.empty()) make_room();
      run_timer();
      return;
    }
    if (!*accepted) return;
    add(std::move(**accepted));
  }
}

void HttpServer::add(sys::UniqueFd fd) {
  if (connections_.size() >= most_connections_) make_room();
  auto connection = std::make_unique<Connection>();
  connection->fd = std::move(fd);
  connection->since = now_of(loop_);
  connection->deadline = now_of(loop_) + kRequestTime;
  Connection& added = *connection;
  connections_.push_back(std::move(connection));
  added.place = std::prev(connections_.end());
  added.poll =
      std::make_unique<Poll>(loop_, added.fd.get(), [this, &added](int) { on_ready(added); });
  added.poll->watch(UV_READABLE);
  run_timer();
  on_ready(added);  // the request has mostly come along: a probe is answered before anybody else
}

// The smallest goes first when there is no room.
int HttpServer::standing(const Connection& connection) const {
  using Stage = Connection::Stage;
  if (connection.stage == Stage::draining) return 0;
  if (connection.stage != Stage::waiting && now_of(loop_) - connection.since >= kStuck) return 1;
  return connection.stage == Stage::reading ? 2 : 3;
}

void HttpServer::make_room() {
  const auto victim = std::ranges::min_element(connections_, {}, [this](const auto& each) {
    return std::pair(standing(*each), each->since);
  });
  counters_.evicted += (*victim)->stage == Connection::Stage::draining ? 0 : 1;
  close(**victim);
}

// Of those who do not take their answer, the one that has for longest not; null: all do.
HttpServer::Connection* HttpServer::stuck_reader() const {
  Connection* longest = nullptr;
  for (const auto& each : connections_) {
    if (each->stage == Connection::Stage::writing && standing(*each) == 1 &&
        (longest == nullptr || each->since < longest->since)) {
      longest = each.get();
    }
  }
  return longest;
}

// For one that is among them already.
bool HttpServer::make_room_for_reader() {
  const auto readers =
      std::ranges::count_if(connections_, [](const auto& each) { return each->is_reader(); });
  if (static_cast<std::size_t>(readers) <= most_readers_) return true;
  Connection* const stuck = stuck_reader();
  if (stuck == nullptr) return false;
  ++counters_.evicted;
  close(*stuck);
  return true;
}

// In memory. Whoever has taken nothing for longest loses his answer.
void HttpServer::make_room_for(std::size_t bytes) {
  while (kept_ + bytes > kMostKept) {
    Connection* longest = nullptr;
    for (const auto& each : connections_) {
      if (each->text != nullptr && (longest == nullptr || each->since < longest->since)) {
        longest = each.get();
      }
    }
    if (longest == nullptr) return;
    ++counters_.evicted;
    close(*longest);
  }
}

void HttpServer::close(Connection& connection) {
  release(connection);
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
  if (progress == wire::HttpRequestReader::Progress::refused) {
    ++counters_.refused;
    take(connection, {.status = connection.reader.refusal(), .body = "not understood\n"});
    return true;
  }
  if (const auto response = handler_(connection.reader.request())) {
    ++counters_.requests;
    take(connection, *response);
    return true;
  }
  connection.stage = Connection::Stage::waiting;
  connection.since = now_of(loop_);
  connection.deadline = connection.since + kAnswerTime;
  connection.poll->watch(0);
  if (make_room_for_reader()) {
    ++counters_.requests;
  } else {
    ++counters_.refused;
    take(connection, {.status = 503, .body = "too many readers, come again\n", .retry_after = 1});
  }
  return true;
}

// Text by text, then client by client: nobody's text is dropped for another's of the same round.
void HttpServer::answer_waiting(const LateHandler& handler) {
  struct Made {
    const wire::HttpResponse* response;
    bool head;
    Text* text;
  };
  std::vector<Made> made;
  std::vector<std::pair<Connection*, Text*>> answers;
  for (const auto& each : connections_) {
    if (each->stage != Connection::Stage::waiting) continue;
    const bool head = each->reader.request().head;
    const wire::HttpResponse& response = handler(each->reader.request());
    auto found = std::ranges::find_if(
        made, [&](const Made& other) { return other.response == &response && other.head == head; });
    if (found == made.end()) found = made.insert(found, {&response, head, &keep(response, head)});
    answers.emplace_back(each.get(), found->text);
  }
  for (const auto& [connection, text] : answers) take(*connection, *text);
  for (const auto& [connection, text] : answers) on_ready(*connection);
}

HttpServer::Text& HttpServer::keep(const wire::HttpResponse& response, bool head) {
  std::string bytes =
      response.body.size() <= kMostAnswer
          ? wire::http_response_text(response, head)
          : wire::http_response_text({.status = 503, .body = "too long an answer\n"}, head);
  make_room_for(bytes.size());
  kept_ += bytes.size();
  texts_.push_back({.bytes = std::move(bytes), .readers = 0, .place = {}});
  texts_.back().place = std::prev(texts_.end());
  return texts_.back();
}

void HttpServer::take(Connection& connection, Text& text) {
  ++text.readers;
  connection.text = &text;
  connection.stage = Connection::Stage::writing;
  connection.since = now_of(loop_);
  connection.deadline = connection.since + kAnswerTime;
}

void HttpServer::take(Connection& connection, const wire::HttpResponse& response) {
  take(connection, keep(response, connection.reader.request().head));
}

void HttpServer::release(Connection& connection) {
  Text* const text = std::exchange(connection.text, nullptr);
  if (text == nullptr || --text->readers > 0) return;
  kept_ -= text->bytes.size();
  texts_.erase(text->place);
}

bool HttpServer::write_answer(Connection& connection) {
  const std::string& bytes = connection.text->bytes;
  const auto sent =
      sys::send(connection.fd.get(), std::string_view(bytes).substr(connection.sent, kPortion));
  if (!sent) return false;
  connection.sent += *sent;
  if (*sent > 0) connection.since = now_of(loop_);
  if (connection.sent < bytes.size()) {
    connection.poll->watch(UV_WRITABLE);
    return true;
  }
  release(connection);
  // A close with unread bytes in the queue sends RST, which can overtake the answer: say that we
  // are done, and read until the other side is.
  (void)shutdown(connection.fd.get(), SHUT_WR);  // not connected any more: drain() finds out
  connection.stage = Connection::Stage::draining;
  connection.since = now_of(loop_);
  connection.deadline = connection.since + kTickMs * 1ms;
  connection.poll->watch(UV_READABLE);
  return true;
}

bool HttpServer::drain(Connection& connection) {
  std::array<char, 4096> scratch;
  const auto received = sys::receive(connection.fd.get(), scratch);
  return received && !received->end;
}

}  // namespace ni::loop
