#pragma once

// The lines of JavaScript that nodeinit may put on node's command line (`--import data:…`, no file
// needed), and when.
//
// unref: in a cluster worker Node holds the channel open for ever (process.once('disconnect') in
// child.js), so a
//   program that never listens would not end. This lets go of it, and holds it only while a query
//   is under way. For the worker that goes first; once it has asked for a socket the program is a
//   server. 4–10 ms of start.
// close: Node 18 and older keep idle keep-alive connections open when a server closes. This answers
// with
//   `Connection: close` and ends idle connections once the worker drains: 4.8 s → 0.1 s under load.
//
// --import exists from 18.18 and 19.0 on; an older node would not start with it. The version is
// told by what the executable exports to addons (sys/elf.h), without running it:
// node_api_create_external_string_latin1 came with 18.18 and 20.4,
// node_api_create_property_key_utf16 with 20.12. Node 19 and 20.0–20.3 are taken for older than
// they are.

#include <string>
#include <string_view>
#include <vector>

namespace ni {

inline constexpr std::string_view kExportedSince18_18 = "node_api_create_external_string_latin1";
inline constexpr std::string_view kExportedSince20_12 = "node_api_create_property_key_utf16";

struct NodeFeatures {
  bool has_import = false;               // kExportedSince18_18
  bool closes_idle_connections = false;  // kExportedSince20_12
};

// Options for node, to stand right after argv[0]. Empty: none are needed, or none are possible.
std::vector<std::string> preload_arguments(const NodeFeatures& node, bool goes_first);

}  // namespace ni
