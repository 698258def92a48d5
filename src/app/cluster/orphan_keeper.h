#pragma once

// The children that dead workers have left behind: found when a worker has been reaped, asked to end, and
// killed some seconds later (NODEINIT_ORPHANS=end), or only told of (keep). Never before their worker is
// dead: one that retires needs its own until then. core/deaths/orphans.h says whose they are. What they
// leave behind in turn is looked for when they have ended.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "core/deaths/orphans.h"
#include "core/settings/config.h"
#include "sys/children.h"

namespace ni::app {

class OrphanKeeper {
 public:
  static constexpr Duration kPatience = 5s;  // from SIGTERM to SIGKILL

  // Tells a line.
  using Tell = std::function<void(LogLevel level, std::string_view event, std::string message)>;
  explicit OrphanKeeper(Tell tell) : tell_(std::move(tell)) {}

  // A worker with that NODEINIT_SLOT is on its way to its program.
  void add(Incarnation worker, unsigned number, Pid pid);
  // It could not be started.
  void drop(Incarnation worker) { workers_.erase(worker); }

  // It was reaped. `is_ours`: who is no worker, and is not left behind (a hook).
  using IsOurs = std::function<bool(Pid)>;
  void left_by(Incarnation worker, Orphans policy, const IsOurs& is_ours, Instant now);
  // Somebody was reaped: its pid means nobody from now on. `look`: what it has left behind in turn.
  void reaped(Pid pid, const IsOurs& is_ours, bool look, Instant now);

  std::optional<Instant> next_deadline() const;
  // Kills whose time is over.
  void act(Instant now);

 private:
  struct Dead {
    Parentage parentage;
    int pid = 0;  // for people
  };
  struct Asked {
    std::string name;
    bool leads_group = false;
    bool killed = false;
    Instant kill_at;
    Dead of;
  };
  void look(const Dead& dead, Orphans policy, const IsOurs& is_ours, Instant now);
  void ask(const sys::Child& child, const Dead& dead, Instant now);
  static void signal(Pid pid, const Asked& asked, Signal signal);

  Tell tell_;
  std::map<Incarnation, Parentage> workers_;
  std::map<Pid, Asked> asked_;
};

}  // namespace ni::app
