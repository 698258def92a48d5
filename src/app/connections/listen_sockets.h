#pragma once

// The sockets of one listen, opened as Node itself would open them, so that an application meets
// the same addresses and the same errors. node lib/net.js createServerHandle(), lib/dgram.js,
// deps/uv/src/unix/{tcp,udp,pipe}.c, Node 22.23.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/user_ids.h"
#include "sys/sockets.h"
#include "wire/cluster_messages.h"

namespace ni::app {

struct ListenSockets {
  std::vector<sys::UniqueFd> sockets;  // streams are listening, in this order
  sys::SocketAddress address;
  bool ipv6_only = false;
  int backlog = 0;
  bool tcp = false;
  std::vector<sys::UniqueFd> plugs;  // of plug_listen_sockets: our ends
  // Whom the sockets of a group opened with reuse_port belong to: a user that nobody is.
  std::optional<std::uint32_t> owner;
  std::string path;  // of a pipe: removed by close_listen_sockets; empty: nothing to remove
  std::optional<UserIds> user;  // who may bind and remove the path; nullopt: we
};

// `inherited`: the descriptors that nodeinit was started with and that a program may name by
// listen({fd}). An Error's code is the errno for the application. With reuse_port the sockets share
// the place among themselves only: a stranger's listener there is EADDRINUSE, though the kernel
// would let us in beside one of the same user; and no stranger gets in later where we may give
// sockets away (CAP_CHOWN). `user`: of the application, nullptr: ours. A path is bound, changed and
// removed with its rights.
Result<ListenSockets> open_listen_sockets(const wire::ListenQuery& query, unsigned count,
                                          bool reuse_port, std::span<const int> inherited,
                                          const UserIds* user = nullptr);

// Brings a group opened with reuse_port to so many sockets. What was added before an error stays.
Result<void> extend_listen_sockets(ListenSockets& group, unsigned count);

// For a group opened with reuse_port: clients that begin to connect are not answered any more (they
// try again after a second, and are refused when the group is closed by then); those in the queues,
// and those which have begun, are as before. Gives the clients that got in between: they are to be
// served.
//
// Sockets of ours join the group, each with a queue that is filled by one connection of ours, and
// the kernel is told to give new clients to the first of them: it drops them, as always when a
// queue is full (kernel net/ipv4/tcp_input.c tcp_conn_request()). As many as there are slots: when
// a member leaves, the last one takes its index (net/core/sock_reuseport.c), and so the kernel
// finds a plug until only plugs are left. A socket filter would be simpler, but wants CAP_NET_ADMIN
// since Linux 6.18. Checked on 6.18.
Result<std::vector<sys::UniqueFd>> plug_listen_sockets(ListenSockets& group);

// Plugs go last.
void close_listen_sockets(ListenSockets& group);

}  // namespace ni::app
