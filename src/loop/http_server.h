#pragma once

// Small answers to GET and HEAD, beside everything else that the loop does: it must never delay it,
// whatever clients do.
//
//   connections   at most kMostConnections; one more takes the place of the one that has been
//                 sending its request for longest (slow-loris), so that a probe of the
//                 orchestrator always gets through
//   a turn        accepts at most kMostAccepts, reads at most one request's bytes per connection
//   time          a request must be there within kRequestTime, its answer made and taken within
//                 kAnswerTime each
//   after that    the connection ends; nothing is kept alive
//
// Without connections it costs no wake-up.

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
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
  std::uint64_t refused = 0;   // malformed, another method, too long
  std::uint64_t evicted = 0;   // too slow, or in the way of a newer one
};

class HttpServer {
 public:
  // To be called once, at once or later, while the server is there; without effect when the client
  // has gone.
  using Reply = std::function<void(wire::HttpResponse)>;
  // Must not block and should take well below a millisecond.
  using Handler = std::function<void(const wire::HttpRequest&, Reply)>;

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

  static constexpr std::size_t kMostConnections = 64;
  static constexpr int kMostAccepts = 16;
  static constexpr Duration kRequestTime = 5s;
  static constexpr Duration kAnswerTime = 10s;

 private:
  struct Connection;
  using Place = std::list<std::unique_ptr<Connection>>::iterator;

  HttpServer(uv_loop_t* loop, sys::UniqueFd listener, Handler handler);
  void on_acceptable();
  void add(sys::UniqueFd fd);
  void on_ready(Connection& connection);
  bool read_request(Connection& connection);
  void take(Connection& connection, const wire::HttpResponse& response);
  void reply(std::uint64_t id, const wire::HttpResponse& response);
  bool write_answer(Connection& connection);
  bool drain(Connection& connection);
  void close(Connection& connection);
  void close_late_ones();
  void make_room();

  uv_loop_t* loop_;
  sys::UniqueFd listener_;
  Handler handler_;
  Poll acceptable_;
  std::list<std::unique_ptr<Connection>> connections_;        // oldest first
  std::unique_ptr<uv_timer_t, void (*)(uv_timer_t*)> timer_;  // runs while there are connections
  HttpCounters counters_;
  std::uint64_t next_id_ = 1;
  std::uint64_t handling_ = 0;  // the connection whose request the handler has; 0: none
};

}  // namespace ni::loop
