#pragma once

// Which Node it is, as far as it matters here, and whether it takes the module inside
// (src/inside/inside.cjs).
//
// The version is told by what the executable exports to addons (sys/elf.h), without running it:
// node_api_create_external_string_latin1 came with 18.18 and 20.4. Node 19 and 20.0-20.3 are taken
// for older than they are.

#include <span>
#include <string>
#include <string_view>

namespace ni {

inline constexpr std::string_view kExportedSince18_18 = "node_api_create_external_string_latin1";

// node::Start(int, char**), in every Node (checked: 12 to 26); Bun, which may be called node and
// exports much of Node's interface for addons, has no such thing.
inline constexpr std::string_view kExportedByNode = "_ZN4node5StartEiPPc";

struct NodeFeatures {
  bool since_18_18 = false;  // kExportedSince18_18
  bool is_node = false;      // kExportedByNode: it is Node, not only called so
};

// False where a --require of a file ends the program at its start: under the permission model of
// Node 20 (ERR_ACCESS_DENIED) and under policies (ERR_MANIFEST_ASSERT_INTEGRITY; Node 18 and 20).
// From 22 on --permission lets a file through that requires builtin modules only.
bool allows_module(std::span<const std::string> argv, std::string_view node_options);

}  // namespace ni
