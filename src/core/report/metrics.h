#pragma once

// Everything nodeinit knows, as Prometheus metrics. Names, units and labels are a promise to
// dashboards and alerts (docker/docs/http.md; docker/grafana, docker/prometheus).
//
// What the supervisor knows is read from it; the rest, which only the body can see, is given beside
// it. What is not known (a cgroup file that is not there, another user's /proc) has no sample:
// never a made-up zero.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"
#include "core/container/usage.h"
#include "core/primary/loop_delay.h"
#include "core/primary/primary.h"
#include "core/report/metrics_rounds.h"
#include "core/report/server_signals.h"
#include "core/supervision/supervisor.h"
#include "wire/exposition.h"

namespace ni {

struct WorkerUsage {
  std::optional<Duration> cpu_user;
  std::optional<Duration> cpu_system;
  std::optional<Bytes> resident;
  std::optional<Bytes> peak;
  std::optional<Bytes> proportional;
  std::optional<std::uint32_t> descriptors;
  const LoopDelay* loop_delay = nullptr;  // lives for the call
  std::optional<wire::LoopTime> loop_time;
};

struct ProgramFigures {
  std::optional<Bytes> heap;  // --max-old-space-size of each worker
  std::uint64_t rollouts_succeeded = 0;
  std::uint64_t rollouts_failed = 0;
  ConnectionCounters connections = {};
};

// Of the container's control group.
struct ContainerFigures {
  std::optional<MilliCpu> cpus;
  std::optional<Bytes> memory_limit;
  ContainerUsage usage;
};

struct LogFigures {
  struct Stream {
    std::string name;
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<Stream> streams = {};  // none in `inherit` mode
  std::uint64_t lines_split = 0;
  std::uint64_t lines_dropped = 0;
  std::uint64_t bytes_dropped = 0;
  std::uint64_t bytes_lost = 0;
  std::uint64_t waits = 0;
  std::uint64_t own_messages_lost = 0;
};

struct OwnFigures {
  std::string version;
  Duration uptime{};
  std::optional<Duration> cpu = {};
  std::optional<Bytes> resident = {};
  std::optional<std::uint32_t> descriptors = {};
  std::uint64_t wake_ups = 0;
  std::uint64_t assertion_failures = 0;
  std::uint64_t http_requests = 0;
  std::uint64_t http_refused = 0;
  std::uint64_t http_evicted = 0;
  std::uint64_t user_messages = 0;
  std::uint64_t channel_lines_dropped = 0;
};

struct MetricsInput {
  const Supervisor& supervisor;
  Instant now;
  std::map<Incarnation, WorkerUsage> workers;
  std::vector<ProgramFigures> programs;  // by ProgramId
  const ServerSignals& signals;
  ContainerFigures container;
  LogFigures logs;
  OwnFigures own;
  WorkerMetrics of_workers = {};
  WorkerAnswers worker_answers = {};
};

std::string render_metrics(const MetricsInput& input, wire::MetricsFormat format);

}  // namespace ni
