#pragma once

// A primary with workers that say what a test lets them say.

#include <fmt/format.h>

#include "core/primary/primary.h"
#include "support/catch.h"

namespace ni::primary_test {

inline constexpr Incarnation kFirst{1};
inline constexpr Incarnation kSecond{2};

inline std::string query_line(int seq, int port = 3000, int index = 0) {
  return fmt::format(
      R"({{"cmd":"NODE_CLUSTER","act":"queryServer","index":{},"data":null,"address":null,"port":{},)"
      R"("addressType":4,"flags":0,"backlog":0,"seq":{}}})",
      index, port, seq);
}
inline std::string listening_line(int port) {
  return fmt::format(
      R"({{"cmd":"NODE_CLUSTER","act":"listening","index":0,"data":null,"address":null,"port":{},)"
      R"("addressType":4,"flags":0,"backlog":0,"seq":2}})",
      port);
}
inline constexpr std::string_view kAck = R"({"cmd":"NODE_HANDLE_ACK"})";
inline constexpr std::string_view kNack = R"({"cmd":"NODE_HANDLE_NACK"})";

// A primary whose sockets always open, with its actions kept.
struct World {
  Primary primary;
  std::vector<PrimaryAction> done;
  int open_error = 0;
  Instant now{};

  explicit World(Balance balance = Balance::kernel, unsigned slots = 2) {
    primary.set_program({0}, {.balance = balance, .slots = slots});
  }
  void settle() {
    for (auto actions = primary.take_actions(); !actions.empty();
         actions = primary.take_actions()) {
      for (PrimaryAction& action : actions) {
        if (const auto* open = std::get_if<primary_action::OpenListener>(&action)) {
          const int port = open->query.port == 0 ? 38553 : open->query.port;
          primary.listener_opened(open->listener, {.error_number = open_error,
                                                   .port = port,
                                                   .tcp = open->query.is_tcp(),
                                                   .name = wire::SocketName{"::", true, port}});
        }
        done.push_back(std::move(action));
      }
    }
  }
  void start(Incarnation worker, unsigned slot, bool parked = false) {
    primary.open_channel(worker, {{0}, {slot}, parked});
  }
  void say(Incarnation worker, std::string_view line) {
    primary.said(worker, wire::InternalLine{std::string(line)}, now);
    settle();
  }
  void serve(std::set<Incarnation> workers) {
    primary.set_serving({0}, std::move(workers));
    settle();
  }
  // A worker that listens on port 3000 and serves beside those that already do.
  void listens(Incarnation worker) {
    say(worker, query_line(1));
    say(worker, kAck);
    say(worker, listening_line(3000));
  }
  template <class Action>
  std::vector<Action> take() {
    std::vector<Action> result;
    for (const PrimaryAction& action : done) {
      if (const auto* one = std::get_if<Action>(&action)) result.push_back(*one);
    }
    std::erase_if(done, [](const auto& one) { return std::holds_alternative<Action>(one); });
    return result;
  }
  template <class Told>
  std::vector<Told> told() {
    std::vector<Told> result;
    for (const PrimaryAction& action : done) {
      const auto* tell = std::get_if<primary_action::Tell>(&action);
      const auto* event = tell == nullptr ? nullptr : std::get_if<Told>(&tell->event);
      if (event != nullptr) result.push_back(*event);
    }
    return result;
  }
  void serve_two() {
    for (const Incarnation worker : {kFirst, kSecond}) {
      start(worker, worker.value - 1);
      listens(worker);
    }
    serve({kFirst, kSecond});
  }
  void look(ListenerId listener, std::vector<unsigned> lengths) {
    now = primary.next_deadline().value();
    primary.on_deadline(now);
    settle();
    CHECK(take<primary_action::LookAtQueues>().size() == 1);
    primary.looked(listener, lengths);
    settle();
  }
  void arrive(SocketRef socket, std::uint64_t connection) {
    primary.connection_arrived(socket, {connection});
    settle();
  }
};

}  // namespace ni::primary_test
