#pragma once

// Cluster mode at work: the one loop that carries events in and actions out.
//
//   wake: signals, channels, timers → post(event) …
//   turn: while there is an event: supervisor.on(event, now, actions) → perform(actions) in order
//         only then wait for the dead: a pid stays ours until what was known of it was acted upon
//         → the one timer is set to supervisor.next_deadline() → sleep
//
// libuv callbacks only queue events; a turn is taken before libuv sleeps and after it woke
// (uv_prepare, uv_check), so none is left over night.

#include <uv.h>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/adoption/adoption_server.h"
#include "app/cluster/control.h"
#include "app/cluster/deployment.h"
#include "app/cluster/guards.h"
#include "app/cluster/limit_follower.h"
#include "app/cluster/load_scaler.h"
#include "app/cluster/orphan_keeper.h"
#include "app/cluster/starts_under_way.h"
#include "app/cluster/terminal_lease.h"
#include "app/connections/data_plane.h"
#include "app/connections/listen_probe.h"
#include "app/invocation/options.h"
#include "app/logs/log.h"
#include "core/container/resources.h"
#include "core/deaths/oom.h"
#include "core/deaths/termination_text.h"
#include "core/report/kept_text.h"
#include "core/report/metrics.h"
#include "core/report/metrics_rounds.h"
#include "core/report/saturation.h"
#include "core/report/server_signals.h"
#include "core/report/status.h"
#include "core/settings/changes.h"
#include "core/supervision/signal_policy.h"
#include "core/supervision/supervisor.h"
#include "loop/http_server.h"
#include "loop/log_pump.h"
#include "loop/poll.h"
#include "loop/turn_hooks.h"
#include "sys/descriptor_limit.h"
#include "sys/private_file.h"
#include "sys/reap.h"
#include "sys/signals.h"
#include "sys/starting_directory.h"

namespace ni::app {

class Runtime final : public Host {
 public:
  // A reload judges `invocation` again.
  Runtime(uv_loop_t* loop, Invocation invocation, Resources resources, Deployment deployment,
          Log& log);
  ~Runtime() override;

  // Until the container ends; its exit code. Workers get the limit given. Error: the loop could not
  // be set up.
  Result<int> run(sys::DescriptorLimit of_workers);

  void post(Event event) { events_.push_back(std::move(event)); }
  void perform(const Action& action) override;

  // Reads the configuration again and starts a rolling reload; what is to be added to the news of it
  // (changed settings that cannot be applied; empty: none). A configuration that is wrong leaves all as
  // it is and is the Error.
  Result<std::string> reload(std::string_view asked_by);

  // runtime_status.cpp
  StatusReport status() const;
  std::optional<SlotStatus::Inspector> inspector_of(const SlotStatus& slot,
                                                    const Launcher& launcher) const;

  const Supervisor& supervisor() const { return supervisor_; }

 private:
  void turn();
  void handle_now(const Event& event);
  void perform_all();
  void went_without(const Action& action);
  void tell_of_drops();
  void settle_starts();
  void read_signals();
  void act_on(const sys::ReceivedSignal& received);
  void reap();
  // runtime_surroundings.cpp
  void leave_surroundings();
  Result<Deployment> deploy_again(const Invocation& invocation, const Resources& resources) const;
  WorkerPlace place_of(const action::Spawn& wanted) const;
  void watch_terminal();
  void before_end_of(const sys::Ended& ended);
  void arm_timer();
  // runtime_reload.cpp
  Result<Changes> read_again();
  Changes take_over(Deployment again);
  // runtime_guards.cpp
  void hear(Event event);  // from the data plane
  void look_after_orphans(const action::Forget& dead);
  bool is_hook(Pid pid) const { return supervisor_.hook_pid() == std::optional(pid); }
  void set_guards();  // as the configuration has it
  // runtime_scale.cpp
  struct WantedWorkers {
    unsigned workers = 1;
    std::string asked_by;
  };
  void want_workers(ProgramId program, unsigned workers, std::string_view asked_by);
  void want_more_workers(ProgramId program, int more, std::string_view asked_by);
  unsigned target_of(ProgramId program) const {
    return supervisor_.programs()[program.value].target;
  }
  void scale_by_load(const DeployedProgram& program, unsigned wanted, const std::string& why);
  void scale_as_wanted();
  void scale(DeployedProgram& program, const WantedWorkers& wanted);
  std::size_t replace_larger_heaps(const DeployedProgram& program, unsigned slots);
  // runtime_limits.cpp
  void set_limits();  // as the configuration has it
  void follow_limits();
  Result<Deployment> plan_for(const Resources& now);
  // Whether the kernel's OOM killer ended it; says so when memory is why a worker died.
  bool judge_memory(const sys::Ended& ended, const std::string& last_words);
  void look_for_kills();
  void tell_of_killed(std::uint64_t others);
  // The kernel's counter; nullopt: it cannot be read.
  std::optional<std::uint64_t> oom_kills() const;
  // runtime_words.cpp
  std::string take_last_words(const sys::Ended& ended);
  void name_left_over();
  void forget(Incarnation worker);  // it was reaped
  void spawn(const action::Spawn& spawn);
  void start_decided(Incarnation process, const sys::SpawnResult& result);
  void run_hook(const action::RunHook& wanted);
  // runtime_adoption.cpp
  void open_adoption();
  void spawn_chain(const action::Spawn& spawn);
  std::variant<Incarnation, std::string> who_adopts(Pid process) const;
  void adopt(Incarnation worker, AdoptedProcess process, sys::UniqueFd channel);
  void let_go_of_adopted_outputs();
  bool only_forwards_to_chain(Signal signal, std::optional<SignalValue> value);
  loop::LogPump::Ends open_outputs(const action::Spawn& spawn);
  void follow_start(const action::Spawn& spawn, BegunStart begun);
  void send_signal(const action::SendSignal& wanted) const;
  void report(const action::Report& report);
  void warn_of(const Worker& worker, const std::string& message);
  Result<void> open_control();
  int refuse_to_start(const Error& error);
  // runtime_http.cpp
  Result<void> open_http();
  std::optional<wire::HttpResponse> answer(const wire::HttpRequest& request);  // nullopt: later
  wire::HttpResponse answer_at_once(const wire::HttpRequest& request);
  void ask_for_metrics();                                     // the workers, for theirs
  void hear_figures(const primary_action::Counted& figures);  // of a worker
  void answer_metrics();
  std::optional<Instant> metrics_deadline() const;
  std::string metrics(wire::MetricsFormat format, const WorkerMetrics& of_workers);
  std::map<Incarnation, WorkerUsage> worker_usage();
  void remember(const action::Report& report);
  wire::Json recent_events() const;
  OwnFigures own_figures() const;
  LogFigures log_figures() const;
  ContainerFigures container_figures() const;
  // The module inside, made anew if somebody has meddled with it; empty: no place takes it.
  std::string module_path();
  const Launcher& launcher_of(ProgramId program) const { return *deployment_.of(program).launcher; }

  uv_loop_t* loop_;
  Invocation invocation_;  // as judged last
  Deployment deployment_;
  Resources resources_;
  Log& log_;
  loop::LogPump pump_;
  bool one_has_failed_ = false;  // a worker or hook, by an end that nobody asked for
  Supervisor supervisor_;
  sys::StartingDirectory directory_;
  TerminalLease terminal_;
  sys::DescriptorLimit descriptor_limit_;  // of workers
  MetricsRounds metrics_rounds_;
  Duration metrics_parsing_{};  // so long the answers of the round took us
  ServerSignals server_signals_;
  Saturation saturation_;
  DataPlane data_plane_;
  std::unique_ptr<AdoptionServer> adoption_;
  struct Chain {  // a worker whose command is run as it is
    std::array<std::optional<sys::FileIdentity>, 2> outputs;
    std::optional<Pid> program;  // below it, adopted
  };
  std::map<Incarnation, Chain> chains_;
  std::string told_refusal_;  // why a process was not adopted, as it was said last
  StartsUnderWay starts_;
  std::deque<Event> events_;
  Actions actions_;  // reused from turn to turn
  sys::UniqueFd signal_fd_;
  std::unique_ptr<loop::Poll> signals_;
  std::unique_ptr<loop::TurnHooks> hooks_;
  std::unique_ptr<Control> control_;        // null: off, or nobody can listen there
  std::unique_ptr<loop::HttpServer> http_;  // null: off
  bool metrics_wanted_ = false;             // by who waits at http_
  Instant metrics_not_before_;
  KeptText status_text_;
  KeptText events_text_;
  std::map<Incarnation, Bytes> proportional_;
  std::map<Incarnation, unsigned> heap_mib_;           // that a worker was started with
  std::map<ProgramId, WantedWorkers> wanted_workers_;  // of this turn
  Incarnation last_measured_;
  Incarnation hook_;  // the last hook that was started
  TerminationNotes termination_;
  struct RecentEvent {
    Duration at;  // since the start
    LogLevel level;
    std::string_view event;
    std::string message;
  };
  static constexpr std::size_t kMostRecent = 100;
  std::deque<RecentEvent> recent_;  // for the page; empty without NODEINIT_HTTP
  std::optional<sys::PrivateFile> module_;
  bool module_refused_ = false;  // said once
  std::uint64_t told_drops_ = 0;
  std::optional<Instant> told_drops_at_;
  std::uint64_t wake_ups_ = 0;
  bool was_ready_ = false;
  Instant started_at_;
  std::optional<LimitFollower> limits_;  // unless NODEINIT_RESIZE=off
  ListenProbe listen_probe_;
  OrphanKeeper orphans_;
  Guards guards_;
  LoadScaler load_scaler_;
  std::string oom_counter_;
  OomLedger oom_ledger_;
  std::optional<Instant> next_kill_look_;
  bool kill_seen_ = false;  // by the last look, and no death has come with it
  bool children_may_have_ended_ = true;
  bool stop_asked_this_turn_ = false;
  std::optional<std::string> reload_asked_by_;
  std::optional<int> exit_code_;
};

}  // namespace ni::app
