#pragma once

// What the cluster primary wants done to sockets and channels. A closed set;
// app/connections/data_plane performs it, in order.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "core/supervision/event.h"
#include "wire/cluster_messages.h"

namespace ni {

// One listen of a program: an address with its sockets. Never used twice.
struct ListenerId {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const ListenerId&) const = default;
};

// A connection that the primary accepted and is handing over.
struct ConnectionId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const ConnectionId&) const = default;
};

// The sockets of a listener are numbered: one per slot, or 0 alone.
struct SocketRef {
  ListenerId listener;
  std::uint32_t socket = 0;
  constexpr auto operator<=>(const SocketRef&) const = default;
};

namespace primary_action {

// Bind `sockets` sockets and listen on them in this order. Answered by Primary::listener_opened.
struct OpenListener {
  ListenerId listener;
  ProgramId program;  // on whose behalf
  wire::ListenQuery query;
  unsigned sockets;
  bool reuse_port;  // several sockets, now or later
};
// Have so many sockets, the new ones bound to the same place and listening in this order.
struct ExtendListener {
  ListenerId listener;
  unsigned sockets;
};
struct CloseListener {
  ListenerId listener;
};

struct Send {
  Incarnation to;
  std::string line;
};
struct SendSocket {
  Incarnation to;
  std::string line;
  SocketRef socket;
};
struct SendConnection {
  Incarnation to;
  std::string line;
  ConnectionId connection;
};
// Close our copy: the worker has it, or nobody can take it.
struct DropConnection {
  ConnectionId connection;
};

// Whom the kernel gives new connections: the sockets named, by the client's port or its address.
struct Steer {
  ListenerId listener;
  std::vector<std::uint32_t> sockets;
  bool by_address;
};

// Tell once, by Primary::queue_readable, when a connection waits there. Unwatch: do not.
struct Watch {
  SocketRef socket;
};
struct Unwatch {
  SocketRef socket;
};
// Accept at most so many; each by Primary::connection_arrived, then once Primary::accepted.
struct Accept {
  SocketRef socket;
  unsigned at_most;
};

// Which of its sockets have a connection waiting? Answered by Primary::looked.
struct LookAtQueues {
  ListenerId listener;
};

// No client that is not connected yet gets in; those in the queues stay there. For a listener of
// several sockets; a Steer would undo it.
struct IgnoreNew {
  ListenerId listener;
};

// From now on read and drop what this worker says, until it closes: it does not keep to the
// protocol.
struct StopListeningTo {
  Incarnation worker;
  std::string reason;
};

// A worker has told how many connections it accepted (Primary::connections has them), and more.
struct Counted {
  Incarnation worker;
  ProgramId program;
  wire::ConnectionsCounted says;
};

struct Tell {
  Event event;
};

}  // namespace primary_action

using PrimaryAction =
    std::variant<primary_action::OpenListener, primary_action::ExtendListener,
                 primary_action::CloseListener, primary_action::Send, primary_action::SendSocket,
                 primary_action::SendConnection, primary_action::DropConnection,
                 primary_action::Steer, primary_action::Watch, primary_action::Unwatch,
                 primary_action::Accept, primary_action::LookAtQueues, primary_action::IgnoreNew,
                 primary_action::StopListeningTo, primary_action::Counted, primary_action::Tell>;

}  // namespace ni
