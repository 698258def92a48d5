#pragma once

// Servers that the cluster protocol does not show. A program may listen by itself (`exclusive`,
// `reusePort`, another runtime), and then no word of it comes over the channel: it would be taken for
// a job that runs for ever. So a worker that has not asked for a socket is looked at, less and less
// often, and what is found is told as if the worker had said it. What cannot work is told to the
// user: a descendant that listens in its place, a port that only one can have, a program that never
// says `online`.

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/supervision/supervisor.h"
#include "sys/listening.h"

namespace ni::app {

class ListenProbe {
 public:
  static constexpr Duration kFirstLook = 500ms;
  static constexpr Duration kLongestRest = 30s;
  static constexpr Duration kOnlinePatience = 10s;
  // A worker that listens on pipes or UDP ports alone is a server of those when nothing else has
  // come for so long; one with descendants may be a tool that has yet to start the server.
  static constexpr Duration kQuiet = 500ms;
  static constexpr Duration kQuietWithDescendants = 5s;
  // A worker with sockets of its own may not hear of a drain (Bun): it is done when at two looks in
  // a row it had no client. It goes on accepting meanwhile; nothing from outside can change that.
  static constexpr Duration kLookForClients = 50ms;
  // What a look costs depends on how many sockets others have: then all rest so many times as long.
  static constexpr int kRestAfterWork = 20;

  struct Ears {
    std::function<void(Event)> post;
    std::function<void(const Worker&, const std::string& message)> warn;
    // Where it is no server that listens; Inspector::kFreePort: wherever it listened first.
    std::function<int(const Worker&)> inspector_port;
  };
  explicit ListenProbe(Ears ears) : ears_(std::move(ears)) {}

  // Looks at those whose time has come.
  void look(const Supervisor& supervisor, Instant now);
  std::optional<Instant> next_deadline(const Supervisor& supervisor) const;

 private:
  struct Watched {
    Instant due;
    Duration rest = kFirstLook;
    bool warned_of_descendant = false;
    bool warned_of_silence = false;
  };
  class Table;
  void look_at(const Program& program, const Worker& worker, Watched& watched, Table& table,
               Instant now);
  void look_for_clients(const Worker& worker, Instant now);
  void look_at_other_servers(const Worker& worker, Table& table, Instant now);
  std::optional<Instant> due(const Supervisor& supervisor, const Worker& worker) const;
  void warn_of_descendant(const Worker& worker, Pid descendant, int port) const;
  void listens_by_itself(const Program& program, const Worker& worker, int port);

  Ears ears_;
  Instant not_before_{};
  // What listens in the network namespace: asked once for all that are looked at in a turn.
  class Table {
   public:
    const std::vector<sys::ListeningSocket>& listening();

   private:
    std::optional<std::vector<sys::ListeningSocket>> listening_;
  };
  std::map<Incarnation, Watched> watched_;
  struct Draining {
    Instant due;
    bool was_quiet = false;
  };
  std::map<Incarnation, Draining> draining_;
  std::map<Incarnation, Instant> otherwise_;  // when those are looked at that listen without TCP
};

}  // namespace ni::app
