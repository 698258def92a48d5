#pragma once

// Node's cluster protocol as typed messages: what a worker says to its primary, and the few lines
// that a primary says. The same in Node 12 … 26 (lib/internal/cluster/child.js, primary.js).
// Three lines are nodeinit's own: the ping, and what the module inside the worker answers
// (src/inside/inside.cjs), the question for the number of accepted connections (and requests) and the
// request to retire. Nothing else is ever sent to a worker.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "wire/json.h"
#include "wire/worker_signals.h"

namespace ni::wire {

// What server.listen() or socket.bind() asks for.
struct ListenQuery {
  enum class Type : std::uint8_t { tcp4, tcp6, pipe, udp4, udp6, descriptor };
  Type type = Type::tcp4;
  std::optional<std::string>
      address;  // nullopt: any address; a path for a pipe ('\0' first: abstract)
  int port = 0;
  int descriptor = -1;  // the number in the primary, for Type::descriptor
  int flags = 0;        // kIpv6Only, for udp also kUdpReuseAddress
  int backlog = 0;      // 0: Node's own default
  std::int64_t index = 0;
  bool readable_by_all = false;  // pipes
  bool writable_by_all = false;
  bool by_deno = false;  // it writes "backlog":false, as no Node does
  Json data;  // to be given back to every worker as the first one sent it: TLS ticket keys; absent
              // or null: none

  bool is_tcp() const { return type == Type::tcp4 || type == Type::tcp6; }
  bool is_udp() const { return type == Type::udp4 || type == Type::udp6; }
  bool same_place(
      const ListenQuery& other) const;  // but for the port: a `listening` names the assigned one
};
inline constexpr int kIpv6Only = 1;
inline constexpr int kUdpReuseAddress = 4;
inline constexpr int kUdpReusePort = 8;

// The name by which worker and primary speak of a listen, like Node's own. Unique among a worker's
// handles.
std::string listen_key(const ListenQuery& query);

struct OnlineAct {};
struct QueryServerAct {
  std::int64_t seq;
  ListenQuery query;
};
struct ListeningAct {
  ListenQuery query;  // with the real port
};
struct CloseAct {
  std::string key;
};
struct ExitedAfterDisconnectAct {
  std::int64_t seq;
};
struct Reply {  // to a newconn
  std::int64_t ack;
  bool accepted;
};
struct HandleAck {};
struct HandleNack {};
struct ConnectionsCounted {
  std::uint64_t count;        // since the worker began
  bool asked = true;          // false: it was time to tell, or the worker leaves
  bool hears = true;          // the program listens to messages; false: it answers none
  bool handles_usr1 = false;  // by the program's own handler, not by Node's
  WorkerSignals signals{};    // none unless it was asked for requests, too
};
// How far a worker is that was asked to retire; what the module inside says of itself.
struct Retirement {
  enum class Act : std::uint8_t {
    cannot,     // this Node does not let it see: disconnect it
    retires,    // it has heard; `signal`: the one that the program handles now
    answered,   // no request is in flight, only idle connections are left
    quiet,      // nothing is in flight, and the program handles no signal
    signalled,  // it has given the program its signal
    leaves,     // the program has closed its servers unasked: somebody else's signal has come
    serves_on   // a second after its signal it serves as before, with nothing in flight
  };
  Act act;
  std::string signal;      // empty: none
  std::uint64_t open = 0;  // requests in flight
};
// The program asked for cluster.isPrimary: it may have a cluster of its own.
struct AskedForPrimary {
  std::string where;  // the line of its code, as in a stack trace
};
struct UnknownMessage {
};  // another NODE_… of the program's own, or an act of a later Node: ignored
using WorkerMessage = std::variant<OnlineAct, QueryServerAct, ListeningAct, CloseAct,
                                   ExitedAfterDisconnectAct, Reply, HandleAck, HandleNack,
                                   ConnectionsCounted, Retirement, AskedForPrimary, UnknownMessage>;

// What a program says of itself at run time, with process.send():
//   {type: 'nodeinit:not-ready', reason: 'the cache is cold'}   {type: 'nodeinit:ready'}
struct Availability {
  bool ready;
  std::string reason;  // printable, at most kLongestReason bytes; empty: none was given
  static constexpr std::size_t kLongestReason = 200;
};
// nullopt: it says something else.
std::optional<Availability> parse_availability(std::string_view line);

// An internal line. Errors: no JSON, or an act that lacks what it must have.
Result<WorkerMessage> parse_worker_message(std::string_view line);

// The primary's lines, '\n' included.
struct SocketName {
  std::string address;
  bool ipv6 = false;
  int port = 0;
};
struct Answer {
  std::string key;
  std::int64_t ack = 0;
  std::int64_t seq = 0;
  Json data;
};
std::string shared_handle_line(const Answer& answer, bool udp);  // with the socket
std::string error_line(const Answer& answer,
                       int error_number);  // errno as errno.h has it, positive
std::string round_robin_line(const Answer& answer, const std::optional<SocketName>& name);
std::string new_connection_line(std::string_view key, std::int64_t seq);  // with the connection
std::string disconnect_line(std::int64_t seq);
std::string acknowledge_line(std::int64_t ack, std::int64_t seq);
std::string ping_line();  // answered by NODE_HANDLE_NACK through the event loop
std::string ask_connections_line(bool requests);  // `requests`: they are to be counted, too
struct RetireRequest {
  std::string_view signal;  // "SIGTERM"
  bool fixed = false;       // the user chose it: no other one will do
  bool stop = false;        // the container ends: idle connections are not waited for
  bool late = false;        // the time for streams and idle connections is over
  bool stays = false;       // no signal when all is answered: the process is needed on
};
std::string retire_line(const RetireRequest& request);
std::string handle_ack_line();  // exactly one for each HandleLine, never unasked: Node asserts it

}  // namespace ni::wire
