#pragma once

// The brain: turns (event, time) into actions, and nothing else. It knows no clock, no descriptor,
// no process; the same events at the same times give the same actions for ever (tests/simulation
// lives on that).
//
//   booting → (preparing) → running → (lingering) → stopping → sweeping → (concluding) → stopped
//
// preparing: the pre_start hook runs, no worker does. lingering: NODEINIT_STOP_DELAY, still
// serving, readiness already false. stopping: workers drain, get SIGTERM, SIGKILL, all within the
// grace. sweeping: what others left behind (orphans, daemons) is asked to end, then made to.
// concluding: the post_stop hook runs.
//
// Every call of on() ends in settle(): deadlines that have come, vacancies, replacements, who gets
// connections, the end. So an event handler only notes what happened; what follows from it stands
// in one place.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/supervision/action.h"
#include "core/supervision/program.h"
#include "core/supervision/told.h"

namespace ni {

enum class Phase : std::uint8_t {
  booting,
  preparing,
  running,
  lingering,
  stopping,
  sweeping,
  concluding,
  stopped
};
std::string_view to_string(Phase phase);

// SIGKILL is sent again as long as the process is there (uninterruptible sleep, frozen cgroup).
inline constexpr Duration kKillInterval = 1s;

struct SupervisorSettings {
  Duration grace = 8s;       // from the first stop to the last SIGKILL
  Duration stop_delay = 0s;  // part of the grace
  bool pre_start = false;    // there is such a hook
  bool post_stop = false;
};

class Supervisor {
 public:
  // The same wish to stop, so long after the first, is one to be quick.
  static constexpr Duration kAgain = 1s;
  // Requests in flight are waited for so long where no platform counts the time (NODEINIT_DRAIN).
  static constexpr Duration kDrainOfReload = 300s;
  // In a stop the signal of a program that handles it waits for streams no longer than this, and
  // no longer than a quarter of the grace: nobody tells us the grace of the platform.
  static constexpr Duration kLongestQuiet = 3s;
  // Retired workers with nothing but idle connections do not hold up a reload, up to so many.
  static constexpr unsigned kMostLingering = 4;

  Supervisor(SupervisorSettings settings, std::vector<ProgramPlan> programs, Random random);

  // Starts the first worker of every program, after the pre_start hook. Once.
  void start(Instant now, Actions& actions);
  void on(const Event& event, Instant now, Actions& actions);
  // When on(DeadlineReached) is due at the latest; nullopt: nothing is waited for but events.
  std::optional<Instant> next_deadline() const;

  Phase phase() const { return phase_; }
  const std::vector<Program>& programs() const { return programs_; }
  const std::map<Incarnation, Worker>& workers() const { return workers_; }
  // The hook that runs now; nullopt: none, or it has no pid yet.
  std::optional<Pid> hook_pid() const { return hook_ ? hook_->pid : std::nullopt; }
  // Of the hook that runs, were it to end so.
  Ending hook_ending(ExitStatus status) const;
  std::uint64_t orphans_reaped() const { return orphans_reaped_; }
  // Whether traffic should come here: running, and every program that serves has as many ready
  // workers as it needs (NODEINIT_READY_WORKERS).
  bool is_ready() const;
  unsigned ready_workers(const Program& program) const;
  unsigned spares_ready(const Program& program) const;  // loaded: they could take a slot
  // Settings were read again, before a reload: from now on these hold.
  void reconfigure(SupervisorSettings settings) { settings_ = settings; }
  // Its number of workers stays: that is an event.
  void reconfigure(ProgramId program, ProgramPlan again);

 private:
  struct Turn {
    Instant now;
    Actions& out;
  };

  // supervisor.cpp: events, phases, deadlines
  void settle(Turn turn);
  void handle(const event::Spawned& event, Turn turn);
  void handle(const event::SpawnFailed& event, Turn turn);
  void handle(const event::Online& event, Turn turn);
  void handle(const event::AskedForSocket& event, Turn turn);
  void handle(const event::Adopted& event, Turn turn);
  void handle(const event::Listening& event, Turn turn);
  void handle(const event::ServesWithoutTcp& event, Turn turn);
  void handle(const event::ServerClosed& event, Turn turn);
  void handle(const event::SaidReady& event, Turn turn);
  void handle(const event::SaidAvailable& event, Turn turn);
  Slot* to_be_guarded(const Worker* worker);
  bool replace_for(Slot& slot, const Worker& worker, ReplaceFor reason, Turn turn);
  void set_available(Worker& worker, bool available, const std::string& reason, Turn turn);
  void handle(const event::Leaving& event, Turn turn);
  void handle(const event::Retires& event, Turn turn);
  void handle(const event::Answered& event, Turn turn);
  void handle(const event::Quiet& event, Turn turn);
  void handle(const event::Signalled& event, Turn turn);
  void handle(const event::LeavesByItself& event, Turn turn);
  void handle(const event::ServesOn& event, Turn turn);
  void handle(const event::CannotRetire& event, Turn turn);
  void handle(const event::AskedForPrimary& event, Turn turn);
  void handle(const event::ChannelClosed& event, Turn turn);
  void handle(const event::Unresponsive& event, Turn turn);
  void handle(const event::OverMemory& event, Turn turn);
  void handle(const event::Served& event, Turn turn);
  void handle(const event::SlowLoop& event, Turn turn);
  void handle(const event::HeapTooLarge& event, Turn turn);
  void handle(const event::Exited& event, Turn turn);
  void handle(const event::ForwardSignal& event, Turn turn);
  void handle(const event::DeadlineReached& event, Turn turn);
  void handle(const event::TargetChanged& event, Turn turn);
  void handle(const event::ScaleBy& event, Turn turn);
  void handle(const event::ReloadAsked& event, Turn turn);
  void handle(const event::RestartAsked& event, Turn turn);
  void handle(const event::StopAsked& event, Turn turn);
  void handle(const event::NobodyLeft& event, Turn turn);

  // supervisor_workers.cpp: the life of a worker and its slot
  void spawn(Program& program, Slot& slot, Turn turn);
  Worker& make_worker(Program& program, Turn turn);
  unsigned take_inspector(const Program& program, Worker& worker);
  unsigned lowest_free_instance(const Program& program) const;
  static void occupy(Slot& slot, Incarnation worker);
  void fill_vacancies(Program& program, Turn turn);

  // supervisor_spares.cpp: workers that wait, fully loaded
  bool wants_spare(const Program& program) const;
  void fill_spares(Program& program, Turn turn);
  Worker* take_spare(Program& program, Incarnation newer_than);
  void promote(Worker& spare, Slot& slot, Turn turn);
  void restore_numbers(Program& program, Turn turn);
  void spare_died(Program& program, const Worker& worker, const Told& story, Turn turn);

  // supervisor_workers.cpp, continued
  void input(Worker& worker, WorkerInput input, Turn turn);
  void seems_ready(Worker& worker, Turn turn);
  std::set<ServerPlace> expected_places(const Worker& worker) const;
  void became_ready(Worker& worker, Turn turn);
  void became_server(Program& program, Turn turn);
  void died(Worker worker, ExitStatus status, DeathCause cause, const std::string& last_words,
            Turn turn);
  static bool restart_limit_reached(const Program& program, Instant now);
  // Nothing shows yet that its program is a server.
  bool may_be_job(const Worker& worker) const {
    return programs_[worker.program.value].stage == Program::Stage::probing &&
           worker.counts_servers && !worker.asked_for_socket;
  }
  void vacate(Program& program, Slot& slot, const Worker& worker, const Death& death,
              const Told& story, Turn turn);
  void change_target(Program& program, unsigned workers, Turn turn);
  void set_target(Program& program, unsigned workers, Turn turn);
  Duration patience(const Program& program, const Worker& worker) const;
  static std::string started_for(const Worker& worker, Turn turn);
  void worker_deadline(Worker& worker, Turn turn);
  void ready_deadline(Worker& worker, Turn turn);

  // supervisor_retirement.cpp: how a worker is asked to end
  void enter(Worker& worker, WorkerState state, Turn turn);
  void end(Worker& worker, EndReason reason, Turn turn);
  void ask_to_retire(Worker& worker, bool late, Turn turn);
  bool stays(const Worker& worker) const;
  void leave_last_lines(Worker& worker, Turn turn);
  void send_stop_signal(Worker& worker, Turn turn);
  Signal stop_signal(const Worker& worker) const;
  Instant drained_by(const Worker& worker, Turn turn) const;
  void retiring_deadline(Worker& worker, Turn turn);
  void say_what_is_cut(const Worker& worker, Turn turn);

  // supervisor_rollout.cpp: replacing workers that work
  void begin_rollout(Program& program, Turn turn);
  void advance_replacements(Program& program, Turn turn);
  void take_over(Slot& slot);
  void replacement_failed(Program& program, Slot& slot, const Told& why, Turn turn);
  void finish_rollout_if_done(Program& program, Turn turn);

  // supervisor_stop.cpp: how the container ends
  void begin_stop(int exit_code, const Told& why, bool quick, Turn turn);
  void drain_all(Turn turn);
  void hurry(Turn turn);
  void advance_stop(Turn turn);
  static bool is_unproven(const Program& program);
  void program_finished(Program& program, int exit_code, const Told& why, Turn turn);
  void finish(Turn turn);

  // supervisor_hooks.cpp: what runs once, before the first worker and after the last
  struct RunningHook {
    Hook hook;
    Incarnation process;
    std::optional<Pid> pid;
    std::optional<Signal> asked_to_end;  // the last signal that was sent, or is to be sent
    std::optional<Instant> deadline;     // of the next, stronger one
  };
  void run_hook(Hook hook, Turn turn);
  void start_programs(Turn turn);
  void hook_started(Pid pid, Turn turn);
  void hook_ended(ExitStatus status, const std::string& words, Turn turn);
  void end_hook(Signal signal, Turn turn);
  void hook_deadline(Turn turn);

  Worker* find(Incarnation incarnation);
  Program& program_of(const Worker& worker) { return programs_[worker.program.value]; }
  Slot& slot_of(const Worker& worker) { return program_of(worker).slots[worker.slot.value]; }
  bool any_can_serve(const Program& program) const;
  bool is_stopping() const { return phase_ >= Phase::lingering; }
  Instant kill_by(const Program& program, Turn turn) const;
  void update_serving(Program& program, Turn turn);
  void report(LogLevel level, std::string_view event, Told told, const Worker* worker, Turn turn);

  SupervisorSettings settings_;
  std::vector<Program> programs_;
  std::map<Incarnation, Worker> workers_;  // live ones only
  Random random_;
  Phase phase_ = Phase::booting;
  Incarnation last_incarnation_;
  std::optional<RunningHook> hook_;
  std::optional<Instant> phase_deadline_;  // of lingering and sweeping
  std::optional<Instant> continue_at_;     // in sweeping: SIGCONT for who is stopped
  Instant stop_deadline_;                  // of the whole stop, from lingering on
  std::string stop_why_;                   // the last wish to stop
  Instant stop_asked_at_;
  std::optional<Signal> stop_came_as_;  // the signal of the first wish
  int exit_code_ = 0;
  std::string exit_reason_;
  bool had_to_kill_ = false;
  bool swept_with_kill_ = false;
  bool started_programs_ = false;
  std::uint64_t orphans_reaped_ = 0;
};

}  // namespace ni
