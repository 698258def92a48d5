#pragma once

// The lines of JavaScript that nodeinit may put on node's command line (`--import data:…`, no file
// needed), and when.
//
// unref: in a cluster worker Node holds the channel open for ever (process.once('disconnect') in
//   child.js), so a program that never listens would not end. This lets go of it, and holds it only
//   while a query is under way. For the worker that goes first; once it has asked for a socket the
//   program is a server. 4–10 ms of start.
// servers: a server that closes ends its idle keep-alive connections at once (node
//   lib/_http_server.js closeIdleConnections, since 19), and a client whose next request is on its
//   way sees a reset; older ones keep them for keepAliveTimeout. With this, once the worker drains,
//   every response says `Connection: close`, and a connection that stays idle is ended 2 s later.
//   Nothing of it runs before the drain. From outside the process this cannot be had: only the
//   server knows where one response ends. The same module counts the connections that the worker's
//   servers accept, since the kernel tells nobody, and says how many when nodeinit asks
//   (wire/cluster_messages.h): an addition for each connection.
//
// --import exists from 18.18 and 19.0 on; an older node would not start with it. The version is
// told by what the executable exports to addons (sys/elf.h), without running it:
// node_api_create_external_string_latin1 came with 18.18 and 20.4. Node 19 and 20.0–20.3 are taken
// for older than they are.

#include <string>
#include <string_view>
#include <vector>

namespace ni {

inline constexpr std::string_view kExportedSince18_18 = "node_api_create_external_string_latin1";

// node::Start(int, char**), in every Node (checked: 12 to 26); Bun, which may be called node and
// exports much of Node's interface for addons, has no such thing.
inline constexpr std::string_view kExportedByNode = "_ZN4node5StartEiPPc";

struct NodeFeatures {
  bool has_import = false;  // kExportedSince18_18
  bool is_node = false;     // kExportedByNode: it is Node, not only called so
};

// Options for node, to stand right after argv[0]. Empty: none are needed, or none are possible.
std::vector<std::string> preload_arguments(const NodeFeatures& node, bool goes_first);

}  // namespace ni
