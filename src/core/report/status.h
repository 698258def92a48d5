#pragma once

// What there is to be told of a running container, for `nodeinit ctl status` and GET /status. No
// value of a variable and no word of a command line is in it: both may be secret.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "core/supervision/supervisor.h"
#include "wire/json.h"

namespace ni {

struct SlotStatus {
  unsigned slot = 0;
  std::string state;  // of its worker, or of the slot when it has none
  std::optional<Pid> pid;
  std::optional<unsigned> worker;  // the incarnation
  Duration uptime{};               // of the worker
  unsigned restarts = 0;
  std::string last_death;  // "crashed, SIGSEGV"; empty: none yet
  Duration since_death{};
  bool replacing = false;  // a successor is on its way

  // Filled by who can see them.
  std::optional<Duration> cpu_time;
  std::optional<Bytes> memory;
  std::optional<Duration> loop_delay;
  struct Inspector {        // of a worker that is known to run Node
    Pid pid;                // below the worker's, where that is a command that was adopted from
    int port = 0;           // where it listens if it is open; 0: wherever there was room
    std::string_view usr1;  // whose handler SIGUSR1 has: "node", "program" or "unknown"
  };
  std::optional<Inspector> inspector;
};

struct ProgramStatus {
  std::string name;
  unsigned workers = 0;  // wanted
  unsigned ready = 0;
  std::string stage;     // probing, serving, finished
  bool rolling = false;  // a reload is under way
  std::vector<SlotStatus> slots;
  unsigned spares = 0;        // wanted
  unsigned spares_ready = 0;  // loaded, and waiting
  unsigned spare_deaths = 0;  // that nobody asked for

  std::string workers_reason;  // of the plan
  std::optional<Bytes> memory_per_worker;
  std::optional<Bytes> heap;
};

struct StatusReport {
  std::string phase;
  bool ready = false;
  Duration uptime{};
  std::optional<MilliCpu> cpus;
  std::string cpus_source;
  std::optional<Bytes> memory;  // a limit's; nullopt: there is none
  std::string memory_source;
  std::optional<Bytes> memory_used;
  // Since the start: what the container can be sized by.
  std::optional<MilliCpu> cpus_most;
  std::optional<double> throttled;  // of the quota's periods, 0…1
  std::optional<Bytes> memory_most;
  std::optional<double> loop_busy_p95;  // 0…1
  std::uint64_t orphans_reaped = 0;
  std::vector<ProgramStatus> programs;
};

// What the supervisor knows; limits, plan and usage are left to the caller.
StatusReport make_status(const Supervisor& supervisor, Instant now);

wire::Json to_json(const StatusReport& report);

// "stopping", or "web: 1 of 4 workers ready, 2 needed"; for probes.
std::string why_not_ready(const Supervisor& supervisor);

}  // namespace ni
