// The primary against workers that say anything at any time: the input is a list of steps, of which the most frequent
// is a piece of some worker's byte stream. Whatever comes, the rules that keep real workers alive must hold.

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/overloaded.h"
#include "core/primary/primary.h"
#include "fuzz/require.h"

namespace {

using namespace ni;
namespace act = ni::primary_action;

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : text_(reinterpret_cast<const char*>(data), size) {}
  bool done() const { return text_.empty(); }
  unsigned byte() {
    if (text_.empty()) return 0;
    const auto value = static_cast<unsigned char>(text_.front());
    text_.remove_prefix(1);
    return value;
  }
  // Up to and including the next newline, or a cut of it.
  std::string_view bytes() {
    const std::size_t end = std::min(text_.find('\n'), text_.size() - (text_.empty() ? 0 : 1));
    const std::string_view piece = text_.substr(0, end + 1);
    text_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view text_;
};

class World {
 public:
  World() {
    primary_.set_program({0}, {.balance = Balance::kernel,
                               .slots = 2,
                               .ping_every = 1s,
                               .hang_timeout = 3s,
                               .counts_connections = true});
    primary_.set_program({1}, {.balance = Balance::round_robin, .slots = 2});
    for (unsigned i = 0; i < 3; ++i) start();
  }

  void step(Input& input) {
    const unsigned what = input.byte();
    const Incarnation worker = pick(what >> 4U);
    switch (what & 15U) {
      default:
        say(worker, input.bytes());
        break;
      case 1:
        start();
        break;
      case 2:
        primary_.disconnect(worker);
        break;
      case 3:
        gone(worker);
        primary_.forget(worker);
        break;
      case 4:
        gone(worker);
        primary_.channel_ended(worker);
        break;
      case 5:
        primary_.set_serving({what >> 7U}, live());
        break;
      case 6:
        primary_.promote(worker, {input.byte() % 4});
        break;
      case 7:
        now_ += Duration(1ms) * input.byte();
        primary_.on_deadline(now_);
        break;
      case 8:
        primary_.queue_readable(socket(input), now_);
        break;
      case 9:
        primary_.set_program({0}, {.slots = input.byte() % 6, .ping_every = 1s});
        break;
      case 10:
        error_ = input.byte() % 3 == 0 ? 98 : 0;
        break;
      case 11:
        waiting_ = input.byte() % 8;
        break;
      case 12:
        if (input.byte() == 0) primary_.close_listeners();
        break;
    }
    settle();
  }

 private:
  struct Stream {
    wire::IpcReader reader;
    bool handle_on_its_way = false;
    bool ping = false;
    Instant since{};
    unsigned owes = 0;  // handles that it sent us, to be acknowledged
  };

  void start() {
    const Incarnation id{next_++};
    if (streams_.size() >= 8) return;
    streams_[id];
    primary_.open_channel(id, {{id.value % 3 == 0 ? 1U : 0U}, {id.value % 4}, id.value % 5 == 0});
  }
  Incarnation pick(unsigned number) {
    if (streams_.empty()) return {999};
    auto it = streams_.begin();
    std::advance(it, number % streams_.size());
    return it->first;
  }
  std::set<Incarnation> live() const {
    std::set<Incarnation> result;
    for (const auto& [id, stream] : streams_) result.insert(id);
    return result;
  }
  static SocketRef socket(Input& input) { return {{input.byte() % 8}, input.byte() % 4}; }

  void gone(Incarnation worker) {
    streams_.erase(worker);
    for (auto& [connection, at] : connections_) {
      if (at == worker) at = Incarnation{0};
    }
  }

  void say(Incarnation worker, std::string_view bytes) {
    const auto it = streams_.find(worker);
    if (it == streams_.end()) return;
    std::vector<wire::IpcLine> lines;
    it->second.reader.feed(bytes, lines);
    for (const wire::IpcLine& line : lines) {
      if (std::holds_alternative<wire::HandleLine>(line)) ++it->second.owes;
      if (const auto* internal = std::get_if<wire::InternalLine>(&line)) {
        FUZZ_REQUIRE(internal->text.size() <= wire::kLongestInternalLine);
        const auto message = wire::parse_worker_message(internal->text);
        if (message && (std::holds_alternative<wire::HandleAck>(*message) ||
                        std::holds_alternative<wire::HandleNack>(*message))) {
          it->second.handle_on_its_way = false;
        }
      }
      primary_.said(worker, line, now_);
      settle();
    }
  }

  // Node fails an assertion, or mixes descriptors up, if a second handle follows an unanswered one.
  void handle_sent(Incarnation to, bool ping = false) {
    const auto it = streams_.find(to);
    FUZZ_REQUIRE(it != streams_.end());
    // A first ping that nobody answered for so long is given up: that runtime knows no pings.
    const bool given_up = it->second.ping && now_ - it->second.since >= Primary::kFirstPingPatience;
    FUZZ_REQUIRE(!it->second.handle_on_its_way || given_up);
    it->second.handle_on_its_way = true;
    it->second.ping = ping;
    it->second.since = now_;
  }

  void perform(const PrimaryAction& action) {
    std::visit(
        Overloaded{
            [&](const act::OpenListener& open) {
              FUZZ_REQUIRE(open.sockets >= 1 && open.sockets <= Primary::kMostSlots);
              primary_.listener_opened(
                  open.listener, {.error_number = error_, .port = 1, .tcp = true, .name = {}});
            },
            [&](const act::Send& send) {
              FUZZ_REQUIRE(streams_.contains(send.to));
              FUZZ_REQUIRE(send.line.ends_with('\n') &&
                           send.line.find('\n') == send.line.size() - 1);
              if (send.line == wire::ping_line()) handle_sent(send.to, true);
              if (send.line == wire::handle_ack_line()) FUZZ_REQUIRE(streams_[send.to].owes-- > 0);
            },
            [&](const act::SendSocket& send) { handle_sent(send.to); },
            [&](const act::SendConnection& send) {
              handle_sent(send.to);
              const auto it = connections_.find(send.connection);
              FUZZ_REQUIRE(it != connections_.end());
              it->second = send.to;
            },
            [&](const act::DropConnection& drop) {
              FUZZ_REQUIRE(connections_.erase(drop.connection) == 1);
            },
            [&](const act::Steer& steer) { FUZZ_REQUIRE(!steer.sockets.empty()); },
            [&](const act::Accept& accept) {
              unsigned taken = 0;
              for (; taken < accept.at_most && waiting_ > 0; ++taken, --waiting_) {
                const ConnectionId id{next_connection_++};
                connections_[id] = {};
                primary_.connection_arrived(accept.socket, id);
              }
              primary_.accepted(accept.socket, waiting_ == 0);
            },
            [&](const act::LookAtQueues& look) {
              primary_.looked(look.listener, std::array{waiting_, waiting_ > 3 ? 1U : 0U, 0U});
            },
            [&](const act::Tell& tell) {
              if (const auto* silent = std::get_if<event::Unresponsive>(&tell.event)) {
                FUZZ_REQUIRE(streams_.contains(silent->worker));
              }
            },
            [](const auto&) {},
        },
        action);
  }

  void settle() {
    std::size_t performed = 0;
    for (auto actions = primary_.take_actions(); !actions.empty();
         actions = primary_.take_actions()) {
      for (const PrimaryAction& action : actions) perform(action);
      performed += actions.size();
      FUZZ_REQUIRE(performed < 20'000);  // it comes to rest
    }
    FUZZ_REQUIRE(connections_.size() <= Primary::kMostHomeless + 2 * streams_.size() + 8);
  }

  Primary primary_;
  std::map<Incarnation, Stream> streams_;
  std::map<ConnectionId, Incarnation> connections_;
  std::uint32_t next_ = 1;
  std::uint64_t next_connection_ = 1;
  int error_ = 0;
  unsigned waiting_ = 0;
  Instant now_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  Input input(data, std::min<std::size_t>(size, 4096));
  while (!input.done()) world.step(input);
  return 0;
}
