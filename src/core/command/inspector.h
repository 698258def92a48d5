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
  static constexpr int kFreePort = 0;  // each process takes one of the system's choice

  int port = 9229;         // of slot 0; kFreePort
  std::size_t behind = 0;  // the word of argv behind which an --inspect-port decides
  bool opens = false;      // at the start, not by SIGUSR1 or the program
};

// argv[0] is node. nullopt: nothing is said of an inspector, or nothing that matters here
// (--inspect-port=0 without --inspect).
std::optional<Inspector> find_inspector(std::span<const std::string> argv,
                                        std::string_view node_options);

// Of the worker with that number, counted round within the ports that need no right; kFreePort.
int inspector_port(const Inspector& inspector, unsigned number);

// The command for the worker with that number; with 0, or a free port for each, it is as it was.
std::vector<std::string> with_inspector_port(std::span<const std::string> argv,
                                             const Inspector& inspector, unsigned number);

}  // namespace ni
