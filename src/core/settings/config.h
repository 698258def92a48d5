#pragma once

// What the user asked for: every setting, typed, with its default. Filled by the table of settings
// (core/settings/settings.h) from options, environment and TOML; read by everyone, changed by
// nobody after the start (a reload makes a new one). A container runs one Program, unless TOML
// names several; what a program does not set itself it takes from the top level.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/signal.h"
#include "base/types.h"

namespace ni {

enum class Mode : std::uint8_t { automatic, cluster, single };
enum class Balance : std::uint8_t { kernel, shared, round_robin, client_ip };
enum class Readiness : std::uint8_t { listen, message, online };
// NODEINIT_STOP. automatic: quiet first, then the signal; drain: Node's `disconnect` first.
enum class StopStyle : std::uint8_t { automatic, drain, signal };
// `automatic`: a server always, a program that ends without ever listening never.
enum class RestartMode : std::uint8_t { automatic, always, on_failure, never };
// NODEINIT_RESIZE. `reload` does what `on` does, and follows a larger memory limit, too: V8 cannot
// raise the limit of a running heap, so that costs a rolling reload.
enum class FollowResize : std::uint8_t { off, on, reload };
enum class LogMode : std::uint8_t { automatic, inherit, lines, prefix, json };
enum class LogJson : std::uint8_t { merge, wrap };  // a line that is JSON already
enum class LogFull : std::uint8_t { wait, drop };   // when our output is full
enum class LogLevel : std::uint8_t { error, warn, info, debug };
enum class LogFormat : std::uint8_t { text, json };
// How much the HTTP port tells. plain: nothing that a program has said itself.
enum class HttpDetail : std::uint8_t { plain, full };

// NODEINIT_ORPHANS: what becomes of the children that a dead worker leaves behind.
enum class Orphans : std::uint8_t { end, keep };

// More are never started, whatever is asked for.
inline constexpr unsigned kMostWorkers = 1024;

// NODEINIT_WORKERS: `auto`, `max`, `N`, `-K`, `P%`, or `N..M` and `N..auto`: as the load wants.
struct WorkerCount {
  enum class Kind : std::uint8_t { automatic, maximum, exactly, fewer, percent, range };
  Kind kind = Kind::automatic;
  unsigned amount = 0;  // N, K or P
  unsigned most = 0;    // M; 0: auto
  bool operator==(const WorkerCount&) const = default;
};

// An amount of memory, or a share of what one worker was given.
struct MemoryAmount {
  Bytes bytes;           // when percent is 0
  unsigned percent = 0;  // 1…100 of the worker's share
  bool operator==(const MemoryAmount&) const = default;
};

inline constexpr std::uint64_t kMostRequests = 1'000'000'000'000;

// NODEINIT_MAX_REQUESTS: so many, and each worker up to so much more or less.
struct RequestLimit {
  std::uint64_t requests = 0;
  unsigned spread = 10;  // percent, 0…100
  bool operator==(const RequestLimit&) const = default;
};

// NODEINIT_MAX_LOOP_DELAY: an event loop that takes longer than `delay` to answer, for all of
// `lasting`.
struct LoopDelayLimit {
  Duration delay{};
  Duration lasting = 60s;
  bool operator==(const LoopDelayLimit&) const = default;
};

// NODEINIT_RESTART_BACKOFF: the first and the largest delay.
struct Backoff {
  Duration first = 100ms;
  Duration limit = 30s;
  bool operator==(const Backoff&) const = default;
};

// NODEINIT_RESTART_LIMIT: so many deaths in so long a time.
struct RestartIntensity {
  unsigned deaths = 10;
  Duration window = 60s;
  bool operator==(const RestartIntensity&) const = default;
};

// One line of NODEINIT_SIGNALS: what arrives, and what is done.
struct SignalRule {
  enum class Does : std::uint8_t { send, forward, group, reload, stop, quit, more, fewer, ignore };
  Signal from;
  Does does;
  std::optional<Signal> to;  // for `send`
  bool operator==(const SignalRule&) const = default;
};

// NODEINIT_READY_WORKERS: so many workers, or so much of those wanted, must be ready.
struct ReadyShare {
  unsigned amount = 1;
  bool percent = false;
  // Of `wanted` workers; at least one, at most all.
  unsigned of(unsigned wanted) const {
    const unsigned needed = percent ? (wanted * amount + 99) / 100 : amount;
    return needed == 0 ? 1 : needed < wanted ? needed : wanted;
  }
  bool operator==(const ReadyShare&) const = default;
};

// What one program may set for itself.
struct ProgramConfig {
  std::string name;  // shown in logs and metrics; the command's base name when not given
  std::vector<std::string> command;  // argv of the program, never empty after validation
  std::optional<std::string> directory;
  std::vector<std::pair<std::string, std::string>> environment;  // added to what nodeinit was given
  std::optional<std::string> environment_file;                   // read at start and at each reload
  std::vector<std::string> slot_variables;                       // more names for NODE_APP_INSTANCE
  // Only where TOML names several programs: how the container is shared out
  // (core/settings/configure.h states the rule), and whether the container ends with this program.
  std::optional<unsigned> share;  // percent of the container's memory, 1…100
  bool essential = true;

  WorkerCount workers;
  std::optional<unsigned> max_workers;
  Balance balance = Balance::kernel;
  Readiness ready = Readiness::listen;
  std::optional<Duration> ready_timeout;  // unset: see Supervisor::patience()
  ReadyShare ready_workers;
  StopStyle stop = StopStyle::automatic;
  std::optional<Signal> stop_signal;  // nullopt: the one that came, else SIGTERM
  std::optional<Duration> drain;      // requests in flight are waited for; nullopt: the defaults
  RestartMode restart = RestartMode::automatic;
  Backoff restart_backoff;
  RestartIntensity restart_limit;
  std::vector<int> stop_codes;
  std::optional<MemoryAmount> max_memory;
  std::optional<Duration> max_age;
  std::optional<RequestLimit> max_requests;
  std::optional<LoopDelayLimit> max_loop_delay;
  Duration hang_timeout = 0s;          // 0: off
  Signal hang_signal = signals::kill;  // what an unresponsive worker gets: SIGKILL or SIGABRT
  Orphans orphans = Orphans::end;
  unsigned spares = 0;
  unsigned surge = 1;
  bool heap_auto = true;
  bool module_inside = true;        // src/inside
  bool adopt = true;                // whoever listens first below another command
  bool worker_metrics = true;       // core/report/metrics_rounds.h
  bool request_metrics = true;      // core/report/server_signals.h
  std::optional<std::string> user;  // "uid[:gid]" or a name of the passwd file
};

// Commands that are run once, for the whole container.
enum class Hook : std::uint8_t { pre_start, post_stop };

struct Config {
  Mode mode = Mode::automatic;
  Duration grace = 8s;  // 28 s in Kubernetes; from SIGTERM to the last SIGKILL
  Duration stop_delay = 0s;
  std::optional<MemoryAmount> memory;  // to plan with; nullopt: all of the limit
  FollowResize resize = FollowResize::on;
  LogMode log = LogMode::automatic;
  LogJson log_json = LogJson::merge;
  LogFull log_full = LogFull::wait;
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  std::optional<std::string> http;  // "127.0.0.1:9464", ":9464"; nullopt: off
  HttpDetail http_detail = HttpDetail::plain;
  std::optional<std::string> control = "auto";  // "auto": abstract name; a path; nullopt: off
  std::vector<SignalRule> signals;
  // "auto": /dev/termination-log if present; a path; nullopt: off
  std::optional<std::string> termination_log = "auto";
  std::vector<std::string> pre_start;  // argv; its failure ends the container. Empty: none
  std::vector<std::string> post_stop;  // argv; empty: none
  // What is said for all programs: hooks run with its directory, user and environment.
  ProgramConfig top_level;
  std::vector<ProgramConfig> programs;  // at least one after validation
};

}  // namespace ni
