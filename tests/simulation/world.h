#pragma once

// A world for the supervisor: processes that start slowly, listen, crash, hang and ignore signals,
// in virtual time and all from one seed. The world is the Host: it performs actions and makes the
// events that come of them. After each step the laws of DESIGN are checked; a broken law says seed,
// time and law.

#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/supervision/supervisor.h"

namespace ni::simulation {

// How likely what is, as "one in N" (0: never).
struct Temper {
  unsigned spawn_fails = 0;  // for want of something that comes back
  bool command_is_wrong = false;
  unsigned crashes_at_start = 0;
  unsigned never_listens = 0;
  unsigned crashes_later = 0;     // some time after it was ready
  unsigned leaves_by_itself = 0;  // the same, by cluster.worker.disconnect()
  unsigned long_connection = 0;   // its drain does not end
  unsigned ignores_term = 0;
  unsigned deaf_module = 0;     // the module inside does not answer
  unsigned handles_signal = 0;  // the program has a handler: it is given its signal by the module
  unsigned busy_loop = 0;       // hears what it is asked seconds later
  unsigned leaves_unasked = 0;  // has closed its servers when it is asked to retire
  unsigned slow_exit = 0;       // takes a second or two after SIGTERM
  unsigned leaves_behind = 0;   // a process of a session of its own, which outlives it
  unsigned hook_fails = 0;
  unsigned hook_hangs = 0;
  Duration start_time = 100ms;
};

class World {
 public:
  World(std::uint64_t seed, SupervisorSettings settings, std::vector<ProgramPlan> programs,
        Temper temper);

  void start();
  // Lets time pass until `until`, or the end. Every step checks the laws.
  void run_until(Instant until);
  void run_for(Duration duration) { run_until(now_ + duration); }
  // Something that people or the platform do, now.
  void tell(const Event& event);
  void set_temper(Temper temper) { temper_ = temper; }

  Instant now() const { return now_; }
  Supervisor& supervisor() { return supervisor_; }
  std::size_t ready_workers() const;
  std::size_t live_processes() const { return processes_.size(); }
  const std::optional<action::Finish>& finished() const { return finished_; }
  const std::vector<std::string>& broken_laws() const { return broken_laws_; }
  const std::vector<action::RolloutEnded>& rollouts() const { return rollouts_; }
  std::uint64_t steps() const { return steps_; }
  unsigned spawns() const { return spawns_; }
  std::size_t reports() const { return reports_; }
  // The fewest workers that could take connections at any step since the last call.
  std::size_t take_least_ready();
  Random& random() { return random_; }
  // A live worker chosen by chance, or one long gone.
  Incarnation some_worker();
  // Hooks that were started, in their order.
  const std::vector<Hook>& hooks() const { return hooks_; }
  // The signals sent to workers since the last call.
  std::vector<action::SendSignal> take_sent() { return std::exchange(sent_, {}); }
  // By itself, or by SIGKILL from nowhere.
  void end(Incarnation worker, ExitStatus status);
  void murder(Incarnation worker) { end(worker, ExitStatus::killed_by(signals::kill)); }

 private:
  struct Process {
    Incarnation worker;
    bool parked = false;
    bool ignores_term = false;
    bool long_connection = false;
    Duration exit_delay = 1ms;
    bool deaf = false;
    bool handles = false;
    bool leaves = false;
    Duration hears_after = 1ms;       // what the module is asked
    Duration quiet_after = 20ms;      // from then on; longer than any grace: a long connection
    std::optional<Instant> heard_at;  // that it is to retire
    bool signalled = false;           // has had its stop signal, from whomever
    bool listening = false;
    bool channel_open = true;
    bool dying = false;
    bool left_behind = false;  // nobody's worker: the sweep finds it
    bool stopped = false;      // it hears of a SIGTERM when it is continued
  };
  // What the end has done so far, in its order.
  struct Ending {
    bool refuses = false;           // who comes from now on
    bool listeners_closed = false;  // of all programs
    std::optional<Signal> swept;    // the last signal to all that is left
    bool killed = false;            // a worker, because it was late
  };
  struct Later {
    Instant at;
    std::uint64_t order;
    Event event;
    std::optional<Pid> process;  // void once this process is gone
    bool operator>(const Later& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void perform(const Action& action);
  void spawn(const action::Spawn& spawn);
  void run_hook(const action::RunHook& wanted);
  void signal(const action::SendSignal& signal);
  void retire(const action::Retire& asked);
  void sweep(Signal signal);
  void leave_behind();
  void forget(const action::Forget& forgotten);
  void check_signals();
  void check_slots(const Program& program);
  void check_end();
  void later(Duration delay, Event event, std::optional<Pid> process = {});
  void step(const Event& event);
  void happen(const Later& later);
  void die(Pid pid, ExitStatus status, Duration delay);
  void check_laws();
  void law(bool held, const std::string& what);

  std::uint64_t seed_;
  Random random_;
  Temper temper_;
  SupervisorSettings settings_;
  Supervisor supervisor_;
  Instant now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  unsigned spawns_ = 0;
  std::size_t reports_ = 0;
  int last_pid_ = 1;
  std::map<Pid, Process> processes_;
  std::priority_queue<Later, std::vector<Later>, std::greater<>> queue_;
  std::optional<action::Finish> finished_;
  std::optional<Instant> stop_began_;
  Ending ending_;
  std::vector<action::SendSignal> sent_;
  std::set<Pid> reaped_;  // workers that the supervisor has yet to forget
  std::vector<action::RolloutEnded> rollouts_;
  std::vector<std::string> broken_laws_;
  std::vector<Hook> hooks_;
  std::optional<std::size_t> least_ready_;
};

}  // namespace ni::simulation
