#pragma once

// Answers to GET and HEAD, beside everything else that the loop does: they must never delay it,
// whatever clients do. Three kinds of clients need room of their own:
//
//   probes     are answered at once, in the turn in which their request comes, and gone: no crowd of
//              others is ever in their way
//   readers    wait for an answer that comes later, or have not taken all of theirs: at most
//              kMostReaders; one more takes the place of one that is stuck, or gets a 503
//   silent     have not sent their request: what is left of kMostConnections
//
//   room       when all is full, those go first that have been answered, then the stuck (nothing
//              came or was taken for kStuck), then the silent, then readers; of each the longest
//   memory     one answer is one text for all who get it; one has at most kMostAnswer bytes, all
//              that are not yet taken kMostKept: beside the longest there is room for others
//   a turn     accepts at most kMostAccepts, reads at most one request's bytes per connection and
//              sends at most kPortion
//   time       a request must be there within kRequestTime, its answer made and taken within
//              kAnswerTime each
//   after that the connection ends; nothing is kept alive
//
// Without connections it costs no wake-up.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"
#include "loop/poll.h"
#include "sys/fd.h"
#include "wire/http.h"

namespace ni::loop {

struct HttpCounters {
  std::uint64_t requests = 0;  // answered by the handler
  std::uint64_t refused = 0;   // malformed, another method, too long, or too many readers
  std::uint64_t evicted = 0;   // too slow, or in the way of a newer one
};

class HttpServer {
 public:
  // Must not block and should take well below a millisecond. nullopt: by answer_waiting().
  using Handler = std::function<std::optional<wire::HttpResponse>(const wire::HttpRequest&)>;
  // The same object for those who get the same: it is rendered and kept once for all of them.
  using LateHandler = std::function<const wire::HttpResponse&(const wire::HttpRequest&)>;

  // address: "127.0.0.1:9464", "[::1]:9464", ":9464" (all addresses, IPv6 too where there is).
  // Errors: EINVAL for what is not such a thing; EADDRINUSE, EACCES… from bind(2).
  static Result<std::unique_ptr<HttpServer>> listen(uv_loop_t* loop, std::string_view address,
                                                    Handler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  std::string address() const;  // as bound: the port that the kernel chose for ":0"
  const HttpCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::size_t kept() const { return kept_; }  // bytes of answers that are not taken yet

  void answer_waiting(const LateHandler& handler);
  // Where descriptors are scarce and workers need them: so many connections, at most
  // kMostConnections; of these two thirds for readers.
  void allow(std::size_t connections);

  static constexpr std::size_t kMostConnections = 192;
  static constexpr std::size_t kMostReaders = 128;
  static constexpr std::size_t kMostAnswer = std::size_t{24} << 20U;
  static constexpr std::size_t kMostKept = std::size_t{32} << 20U;
  static constexpr std::size_t kPortion = std::size_t{64} << 10U;
  static constexpr int kMostAccepts = 16;
  static constexpr Duration kStuck = 1s;
  static constexpr Duration kRequestTime = 5s;
  static constexpr Duration kAnswerTime = 10s;

 private:
  struct Connection;
  using Place = std::list<std::unique_ptr<Connection>>::iterator;
  struct Text {
    std::string bytes;  // head and body
    std::size_t readers = 0;
    std::list<Text>::iterator place;
  };

  HttpServer(uv_loop_t* loop, sys::UniqueFd listener, Handler handler);
  void on_acceptable();
  void add(sys::UniqueFd fd);
  void on_ready(Connection& connection);
  bool read_request(Connection& connection);
  bool write_answer(Connection& connection);
  bool drain(Connection& connection);
  void close(Connection& connection);
  void close_late_ones();
  void run_timer();

  Text& keep(const wire::HttpResponse& response, bool head);
  void take(Connection& connection, Text& text);
  void take(Connection& connection, const wire::HttpResponse& response);
  void release(Connection& connection);

  int standing(const Connection& connection) const;
  Connection* stuck_reader() const;
  void make_room();
  bool make_room_for_reader();
  void make_room_for(std::size_t bytes);

  uv_loop_t* loop_;
  sys::UniqueFd listener_;
  Handler handler_;
  Poll acceptable_;
  std::list<std::unique_ptr<Connection>> connections_;        // oldest first
  std::unique_ptr<uv_timer_t, void (*)(uv_timer_t*)> timer_;  // runs while there are connections
  HttpCounters counters_;
  std::size_t most_connections_ = kMostConnections;
  std::size_t most_readers_ = kMostReaders;
  std::list<Text> texts_;
  std::size_t kept_ = 0;
};

}  // namespace ni::loop
