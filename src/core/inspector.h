#pragma once

// A port of its own for the inspector of each worker, as Node's primary sees to it (node
// lib/internal/cluster/primary.js createWorkerProcess(): --inspect-port for each fork, when the
// options or NODE_OPTIONS ask for an inspector). Node counts on from fork to fork; here the port
// belongs to the slot, so that a restarted worker is found where it was.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ni {

struct Inspector {
  int port = 9229;         // of slot 0
  std::size_t behind = 0;  // the word of argv behind which an --inspect-port decides
};

// argv[0] is node. nullopt: no inspector is asked for, or each process takes a free port (port 0).
std::optional<Inspector> find_inspector(std::span<const std::string> argv,
                                        std::string_view node_options);

// Of the worker with that number, counted round within the ports that need no right.
int inspector_port(const Inspector& inspector, unsigned number);

// The command for the worker with that number; with 0 it is as it was.
std::vector<std::string> with_inspector_port(std::span<const std::string> argv,
                                             const Inspector& inspector, unsigned number);

}  // namespace ni
