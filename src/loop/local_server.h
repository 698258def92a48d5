#pragma once

// Clients on a local socket that send lines and get lines. Nobody can hold us up: nothing blocks,
// a request has a longest length, what a client does not read is bounded, and when too many are
// there the oldest goes, so that a newcomer is always heard: those who have asked for something and
// those who have not are counted apart, so that a crowd of silent ones does not push out who waits for
// an answer. Who is not allowed in is closed at once.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "loop/poll.h"
#include "loop/timer.h"
#include "sys/fd.h"
#include "sys/local_sockets.h"

namespace ni::loop {

class LocalServer {
 public:
  using ClientId = std::uint64_t;

  static constexpr std::size_t kMostClients = 32;                     // that have sent a line
  static constexpr std::size_t kMostSilent = 96;                      // that have not
  static constexpr std::size_t kMostWaiting = std::size_t{2} << 20U;  // bytes not read by a client

  struct Callbacks {
    std::function<bool(const sys::Peer&)> allows;
    std::string refusal;                                        // bytes for who is not allowed
    std::function<void(ClientId, std::string_view line)> line;  // without its newline
    std::function<void(ClientId)> gone;  // for whatever reason; not called by the destructor
  };

  // `listener` listens already. Lines longer than `longest_line` end the client.
  LocalServer(uv_loop_t* loop, sys::UniqueFd listener, std::size_t longest_line,
              Callbacks callbacks);

  bool valid() const { return accepting_.valid(); }
  // Bytes for a client; one that is gone is no mistake. Too much unread: the client is dropped.
  void send(ClientId client, std::string_view bytes);

  std::size_t clients() const { return clients_.size(); }
  std::uint64_t dropped_clients() const { return dropped_clients_; }
  std::uint64_t refused_clients() const { return refused_clients_; }

 private:
  struct Client {
    sys::UniqueFd fd;
    std::unique_ptr<Poll> poll;
    std::string input;
    std::string output;
    bool has_asked = false;
  };
  void accept();
  void ready(ClientId id, int events);
  void read(ClientId id, Client& client);
  bool write(Client& client);  // false: the client is gone
  void drop(ClientId id);
  void drop_oldest(bool has_asked, std::size_t above);

  uv_loop_t* loop_;
  sys::UniqueFd listener_;
  std::size_t longest_line_;
  Callbacks callbacks_;
  Poll accepting_;
  Timer rest_;                          // until the next try, when there was no descriptor left
  std::map<ClientId, Client> clients_;  // in the order of their coming
  ClientId last_id_ = 0;
  std::uint64_t dropped_clients_ = 0;
  std::uint64_t refused_clients_ = 0;
};

}  // namespace ni::loop
