#include "world.h"

#include <fmt/format.h>
#include <algorithm>

#include "base/overloaded.h"

namespace ni::simulation {
namespace {

constexpr std::string_view kSecret = "postgres://admin:hunter2@db";  // the last words of everybody

}  // namespace

World::World(std::uint64_t seed, SupervisorSettings settings, std::vector<ProgramPlan> programs,
             Temper temper)
    : seed_(seed),
      random_(seed),
      temper_(temper),
      settings_(settings),
      supervisor_(settings, std::move(programs), Random(seed ^ 0xABCDEFU)) {}

void World::start() {
  Actions actions;
  supervisor_.start(now_, actions);
  for (const Action& action : actions) {
    perform(action);
  }
  check_laws();
}

void World::tell(const Event& event) {
  step(event);
}

void World::run_until(Instant until) {
  while (!finished_) {
    const auto deadline = supervisor_.next_deadline();
    const bool event_first = !queue_.empty() && (!deadline || queue_.top().at <= *deadline);
    const std::optional<Instant> next = event_first ? std::optional(queue_.top().at) : deadline;
    if (!next || *next > until) {
      break;
    }
    now_ = std::max(now_, *next);
    if (event_first) {
      const Later later = queue_.top();
      queue_.pop();
      happen(later);
    } else {
      step(event::DeadlineReached{});
    }
    if (!broken_laws_.empty()) {
      return;
    }
  }
  now_ = std::max(now_, until);
}

void World::happen(const Later& later) {
  if (later.process && !processes_.contains(*later.process)) {
    return;
  }
  if (const auto* exited = std::get_if<event::Exited>(&later.event)) {
    const Process process = processes_.at(exited->pid);
    // The channel's end and the exit come in either order; until it is waited for, the process is a
    // zombie that can still be signalled.
    const bool channel_first = process.channel_open && random_.chance(2);
    if (channel_first) {
      step(event::ChannelClosed{process.worker});
    }
    if (supervisor_.workers().contains(process.worker)) {  // and no hook, nobody's
      reaped_.insert(exited->pid);
      if (temper_.leaves_behind != 0 && random_.chance(temper_.leaves_behind)) leave_behind();
    }
    processes_.erase(exited->pid);
    step(later.event);
    if (process.channel_open && !channel_first) {
      step(event::ChannelClosed{process.worker});
    }
    if (processes_.empty()) {
      step(event::NobodyLeft{});
    }
    return;
  }
  if (std::holds_alternative<event::Signalled>(later.event) ||
      std::holds_alternative<event::Quiet>(later.event)) {
    Process& process = processes_.at(*later.process);
    if (process.signalled) {
      return;  // it has said so before, or nodeinit was first
    }
    if (std::holds_alternative<event::Signalled>(later.event)) {
      process.signalled = true;
      if (!process.ignores_term) {
        die(*later.process, ExitStatus::exited(0), process.exit_delay);
      }
    }
  }
  if (const auto* closed = std::get_if<event::ChannelClosed>(&later.event)) {
    for (auto& [pid, process] : processes_) {
      if (process.worker == closed->worker) {
        process.channel_open = false;
      }
    }
  }
  if (const auto* listening = std::get_if<event::Listening>(&later.event)) {
    for (auto& [pid, process] : processes_) {
      process.listening = process.listening || process.worker == listening->worker;
    }
  }
  step(later.event);
}

void World::step(const Event& event) {
  if (finished_) {
    return;
  }
  ++steps_;
  Actions actions;
  const bool was_stopping = supervisor_.phase() >= Phase::lingering;
  supervisor_.on(event, now_, actions);
  if (!was_stopping && supervisor_.phase() >= Phase::lingering) {
    stop_began_ = now_;
  }
  for (const Action& action : actions) {
    law(!finished_, "Finish is the last action");
    perform(action);
  }
  check_laws();
}

void World::perform(const Action& action) {
  std::visit(
      Overloaded{
          [&](const action::Spawn& spawned) { spawn(spawned); },
          [&](const action::RunHook& wanted) { run_hook(wanted); },
          [&](const action::SendSignal& sent) { signal(sent); },
          [&](const action::Retire& asked) { retire(asked); },
          [&](const action::Disconnect& act) {
            for (auto& [pid, process] : processes_) {
              if (process.worker == act.worker && process.channel_open &&
                  !process.long_connection) {
                later(Duration(random_.below(50'000'000)), event::ChannelClosed{act.worker}, pid);
              }
            }
          },
          [&](const action::Serve& serve) {
            for (const Incarnation worker : serve.workers) {
              const auto found = supervisor_.workers().find(worker);
              law(found != supervisor_.workers().end() && found->second.can_serve(),
                  "only ready workers are served connections");
              law(found->second.is_ready() ||
                      supervisor_.ready_workers(supervisor_.programs()[serve.program.value]) == 0,
                  "whoever says that it is not ready is served only where all do");
            }
          },
          [&](const action::Promote& promoted) {
            for (auto& [pid, process] : processes_) {
              if (process.worker == promoted.worker) {
                law(std::exchange(process.parked, false), "only spares are promoted, once");
                later(1ms, event::Listening{promoted.worker, true}, pid);
                later(2ms, event::SaidReady{promoted.worker}, pid);
              }
            }
          },
          [&](const action::SignalRemaining& sent) { sweep(sent.signal); },
          [&](const action::Forget& forgotten) { forget(forgotten); },
          [&](const action::SetSlots& set) {
            law(set.slots == supervisor_.programs()[set.program.value].target,
                "workers are told as many slots as there are to be");
          },
          [&](const action::StopAccepting&) {
            law(!std::exchange(ending_.refuses, true), "clients are refused from once on");
          },
          [&](const action::CloseListeners& close) {
            ending_.listeners_closed |= !close.program;
            law(close.program || supervisor_.workers().empty(),
                "listeners close when no worker is left");
          },
          [&](const action::RolloutEnded& ended) { rollouts_.push_back(ended); },
          [&](const action::Finish& finish) { finished_ = finish; },
          [&](const action::Report& report) {
            ++reports_;
            law(report.plain.value_or(report.message).find(kSecret) == std::string::npos,
                "what a program has said last is told in full reports alone");
          },
      },
      action);
}

void World::spawn(const action::Spawn& spawn) {
  const auto happens = [this](unsigned one_in) { return one_in != 0 && random_.chance(one_in); };
  ++spawns_;
  if (happens(temper_.spawn_fails)) {
    later(0s, event::SpawnFailed{.worker = spawn.worker,
                                 .exit_code = 126,
                                 .reason = "cannot fork: Resource temporarily unavailable",
                                 .lacked = true});
    return;
  }
  if (temper_.command_is_wrong) {
    later(0s, event::SpawnFailed{.worker = spawn.worker,
                                 .exit_code = 127,
                                 .reason = "cannot execute node: No such file or directory"});
    return;
  }
  const Pid pid = *Pid::from(++last_pid_);
  Process process;
  process.worker = spawn.worker;
  process.parked = spawn.parked;
  process.ignores_term = happens(temper_.ignores_term);
  process.long_connection = happens(temper_.long_connection);
  process.exit_delay = happens(temper_.slow_exit) ? 1500ms : 1ms;
  process.deaf = happens(temper_.deaf_module);
  process.handles = happens(temper_.handles_signal);
  process.leaves = happens(temper_.leaves_unasked);
  process.hears_after = happens(temper_.busy_loop) ? Duration(random_.below(5'000'000'000)) : 1ms;
  process.quiet_after = process.long_connection ? 1h : Duration(random_.below(4'000'000'000));
  processes_.emplace(pid, process);
  later(0s, event::Spawned{spawn.worker, pid});
  const Duration start =
      temper_.start_time / 2 +
      Duration(random_.below(static_cast<std::uint64_t>(temper_.start_time.count()) + 1));
  later(start / 4, event::Online{spawn.worker}, pid);
  if (happens(temper_.crashes_at_start)) {
    die(pid, random_.chance(3) ? ExitStatus::killed_by(signals::abort) : ExitStatus::exited(3),
        start / 2);
    return;
  }
  if (happens(temper_.never_listens)) {
    return;
  }
  later(start, event::AskedForSocket{spawn.worker}, pid);
  if (!spawn.parked) {
    later(start + 1ms, event::Listening{spawn.worker, true}, pid);
    later(start + 2ms, event::SaidReady{spawn.worker}, pid);
  }
  if (happens(temper_.crashes_later)) {
    die(pid, ExitStatus::killed_by(*Signal::from(11)),
        start + Duration(random_.below(30'000'000'000)));
  } else if (happens(temper_.leaves_by_itself)) {
    const Duration at = start + Duration(random_.below(30'000'000'000));
    later(at, event::Leaving{spawn.worker}, pid);
    die(pid, ExitStatus::exited(0), at + 20ms);
  }
}

void World::run_hook(const action::RunHook& wanted) {
  law(supervisor_.workers().empty() && processes_.empty(), "hooks run when nothing else does");
  hooks_.push_back(wanted.hook);
  const auto happens = [this](unsigned one_in) { return one_in != 0 && random_.chance(one_in); };
  if (happens(temper_.spawn_fails)) {
    later(0s, event::SpawnFailed{wanted.process, 127, "cannot execute migrate"});
    return;
  }
  const Pid pid = *Pid::from(++last_pid_);
  Process process;
  process.worker = wanted.process;
  process.channel_open = false;
  process.ignores_term = happens(temper_.ignores_term);
  processes_.emplace(pid, process);
  later(0s, event::Spawned{wanted.process, pid});
  if (!happens(temper_.hook_hangs)) {
    die(pid, ExitStatus::exited(happens(temper_.hook_fails) ? 3 : 0),
        Duration(random_.below(2'000'000'000)));
  }
}

// A daemon of a worker's own: its death is nobody's, and a stop must not leave it behind.
void World::leave_behind() {
  const Pid pid = *Pid::from(++last_pid_);
  Process process;
  process.channel_open = false;
  process.left_behind = true;
  process.ignores_term = random_.chance(3);
  process.stopped = random_.chance(3);
  processes_.emplace(pid, process);
  if (random_.chance(2)) {
    die(pid, ExitStatus::exited(0), Duration(random_.below(60'000'000'000)));
  }
}

void World::sweep(Signal signal) {
  const std::optional<Signal> before = std::exchange(ending_.swept, signal);
  law(ending_.listeners_closed, "nobody can connect any more when what is left is swept");
  law(supervisor_.workers().empty(), "the sweep comes after the last worker");
  const bool in_order = signal == signals::term   ? !before
                        : signal == signals::cont ? before == signals::term
                                                  : signal == signals::kill && before.has_value() &&
                                                        before != signals::kill;
  law(in_order, "the sweep is TERM, CONT for those that are stopped, then KILL");
  for (auto& [pid, process] : processes_) {
    if (signal == signals::kill) {
      die(pid, ExitStatus::killed_by(signal), 1ms);
      continue;
    }
    const bool hears =
        signal == signals::cont ? std::exchange(process.stopped, false) : !process.stopped;
    if (hears && !process.ignores_term) {
      die(pid, ExitStatus::killed_by(signals::term), Duration(random_.below(100'000'000)));
    }
  }
  if (processes_.empty()) {
    later(0s, event::NobodyLeft{});
  }
}

void World::forget(const action::Forget& forgotten) {
  law(reaped_.erase(forgotten.pid) == 1, "a worker is forgotten once, when it is reaped");
  law(!supervisor_.workers().contains(forgotten.worker), "what is forgotten is gone");
}

void World::signal(const action::SendSignal& sent) {
  sent_.push_back(sent);
  law(sent.signal != signals::kill || sent.whole_group, "SIGKILL goes to the whole group");
  ending_.killed |= sent.signal == signals::kill && stop_began_.has_value() &&
                    supervisor_.workers().contains(sent.worker);
  const auto found = processes_.find(sent.pid);
  law(found != processes_.end() && found->second.worker == sent.worker,
      "signals go to living workers by their own pid");
  if (found == processes_.end()) {
    return;
  }
  const bool hangs = sent.signal != signals::term;  // or is passed on for somebody
  const auto worker = supervisor_.workers().find(sent.worker);
  const bool ends =
      worker != supervisor_.workers().end() && worker->second.state >= WorkerState::terminating;
  law(hangs || !ends || !found->second.signalled, "a program gets its stop signal once");
  found->second.signalled |= ends && !hangs;
  if (sent.signal == signals::kill || sent.signal == signals::abort) {
    die(sent.pid, ExitStatus::killed_by(sent.signal), 1ms);
  } else if (sent.signal == signals::term && !found->second.ignores_term) {
    die(sent.pid, random_.chance(2) ? ExitStatus::killed_by(signals::term) : ExitStatus::exited(0),
        found->second.exit_delay);
  }
}

// The module inside, as src/inside/inside.cjs is: it hears when the loop lets it, and gives the
// program its signal once nothing is in flight, or at once when that is late.
void World::retire(const action::Retire& asked) {
  const auto found = std::ranges::find_if(
      processes_, [&](const auto& entry) { return entry.second.worker == asked.worker; });
  const auto worker = supervisor_.workers().find(asked.worker);
  law(found != processes_.end() && worker != supervisor_.workers().end(),
      "only living workers are asked to retire");
  if (found == processes_.end() || worker == supervisor_.workers().end()) {
    return;
  }
  law(supervisor_.programs()[worker->second.program.value].module_inside,
      "only a worker with the module inside is asked to retire");
  auto& [pid, process] = *found;
  if (process.deaf) {
    later(250ms, event::CannotRetire{asked.worker}, pid);
    return;
  }
  if (!process.heard_at) {
    process.heard_at = now_ + process.hears_after;
  }
  const Duration after = std::max(*process.heard_at - now_, Duration(1ms));
  const std::optional<Signal> handles =
      process.handles ? std::optional(asked.signal) : std::nullopt;
  later(after, event::Retires{.worker = asked.worker, .handles = handles, .open = 1}, pid);
  if (process.leaves) {
    later(after, event::LeavesByItself{asked.worker}, pid);
    die(pid, ExitStatus::exited(0), after + process.quiet_after);
    return;
  }
  const Duration quiet = asked.late && process.handles ? after : after + process.quiet_after;
  if (process.handles) {
    later(quiet, event::Signalled{asked.worker, asked.late ? 1U : 0U}, pid);
  } else {
    later(quiet, event::Quiet{asked.worker}, pid);
  }
}

void World::die(Pid pid, ExitStatus status, Duration delay) {
  later(
      delay,
      event::Exited{
          .pid = pid, .status = status, .out_of_memory = false, .last_words = std::string(kSecret)},
      pid);
}

void World::later(Duration delay, Event event, std::optional<Pid> process) {
  queue_.push(Later{now_ + delay, order_++, std::move(event), process});
}

std::size_t World::ready_workers() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      supervisor_.workers(), [](const auto& entry) { return entry.second.is_ready(); }));
}

std::size_t World::take_least_ready() {
  const std::size_t least = least_ready_.value_or(ready_workers());
  least_ready_ = ready_workers();
  return least;
}

Incarnation World::some_worker() {
  const auto& workers = supervisor_.workers();
  if (workers.empty() || random_.chance(5)) {
    return Incarnation{static_cast<std::uint32_t>(random_.below(spawns_ + 1))};
  }
  auto chosen = workers.begin();
  std::advance(chosen, random_.below(workers.size()));
  return chosen->first;
}

void World::end(Incarnation worker, ExitStatus status) {
  for (const auto& [pid, process] : processes_) {
    if (process.worker == worker) {
      die(pid, status, 0s);
    }
  }
}

}  // namespace ni::simulation
