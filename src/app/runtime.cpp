#include "app/runtime.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/config_files.h"
#include "app/explain.h"
#include "app/inherited_descriptors.h"
#include "app/log_setup.h"
#include "app/sizing.h"
#include "app/termination_log.h"
#include "base/overloaded.h"
#include "base/text.h"
#include "core/launch.h"
#include "core/setting_values.h"
#include "sys/clock.h"
#include "sys/reap.h"
#include "sys/signals.h"

namespace ni::app {
namespace {

// At the very end, when no worker is left, the reader of our output gets so long for the last of
// it.
constexpr Duration kLastOutputTime = 2s;
// So many at once, then the rest of the world has its turn: neither a flood of signals nor one of
// orphans keeps us from our workers, or makes us grow.
constexpr int kSignalsAtOnce = 256;
constexpr int kReapedAtOnce = 256;
constexpr int kReapsInATurn = 8;

std::vector<ProgramPlan> program_plans(const Config& config, const std::vector<Plan>& plans,
                                       const std::vector<Launcher>& launchers) {
  std::vector<ProgramPlan> result;
  for (std::size_t i = 0; i < config.programs.size(); ++i) {
    result.push_back(ProgramPlan{.config = config.programs[i],
                                 .workers = plans[i].workers,
                                 .signal_group = launchers[i].signals_group()});
  }
  return result;
}

DataPlaneSettings data_plane_settings(const Config& config, const std::vector<Plan>& plans,
                                      const Environment& environment,
                                      const sys::StartingDirectory& directory, Log& log,
                                      MetricsRounds& rounds) {
  DataPlaneSettings settings;
  settings.inherited = listen_descriptors(environment);
  settings.directory = &directory;
  for (std::size_t i = 0; i < config.programs.size(); ++i) {
    settings.programs.push_back(
        {.balance = balance_for(config.programs[i].command.front(), config.programs[i].balance),
         .slots = plans[i].workers});
  }
  settings.warn = [&log](std::string_view message) { log.warn("data_plane", message); };
  settings.metrics_answered = [&rounds](Incarnation worker, std::string_view line) {
    rounds.answered(worker, line);
  };
  settings.connections_counted = [&rounds](Incarnation worker) { rounds.counted(worker); };
  return settings;
}

}  // namespace

Runtime::Runtime(uv_loop_t* loop, Invocation invocation, Resources resources, Prepared prepared,
                 Log& log)
    : loop_(loop),
      invocation_(std::move(invocation)),
      config_(std::move(prepared.config)),
      resources_(std::move(resources)),
      plans_(std::move(prepared.plans)),
      launchers_(std::move(prepared.launchers)),
      log_(log),
      pump_(loop, log_settings(config_, plans_),
            [&log](wire::LogStream stream, int error) { tell_trouble(log, stream, error); }),
      supervisor_({.grace = config_.grace,
                   .stop_delay = config_.stop_delay,
                   .pre_start = !config_.pre_start.empty(),
                   .post_stop = !config_.post_stop.empty()},
                  program_plans(config_, plans_, launchers_),
                  Random(static_cast<std::uint64_t>(sys::now().time_since_epoch().count()))),
      data_plane_(loop,
                  data_plane_settings(config_, plans_, invocation_.environment, directory_, log,
                                      metrics_rounds_),
                  [this](Event event) { hear(std::move(event)); }),
      listen_probe_({.post = [this](Event event) { post(std::move(event)); },
                     .warn = [this](const Worker& worker,
                                    const std::string& message) { warn_of(worker, message); },
                     .inspector_port =
                         [this](const Worker& worker) {
                           return launchers_[worker.program.value].inspector_port(
                               worker.inspector.value_or(0));
                         }}),
      oom_counter_(oom_counter_path(resources_)),
      oom_ledger_(oom_kills()) {}

Runtime::~Runtime() {
  log_.send_to({});
}

Result<int> Runtime::run(sys::DescriptorLimit of_workers) {
  descriptor_limit_ = of_workers;
  NI_TRY(signal_fd_, sys::open_signal_fd());
  signals_ = std::make_unique<loop::Poll>(loop_, signal_fd_.get(),
                                          [this](int /*events*/) { read_signals(); });
  if (!signals_->valid()) {
    return Error{.operation = "watch",
                 .subject = "signals",
                 .code = 0,
                 .reason = "libuv refused the descriptor"};
  }
  signals_->watch(UV_READABLE);
  log_.send_to([this](std::string_view line) { return pump_.write_own(line); });
  hooks_ = std::make_unique<loop::TurnHooks>(loop_, [this] { turn(); });
  for (const Plan& plan : plans_) {
    log_.info("limits", limits_line(resources_, plan));
    for (const std::string& warning : plan.warnings) {
      log_.warn("limits", warning);
    }
  }
  leave_surroundings();
  set_guards();
  open_control();
  if (config_.resize != FollowResize::off) {
    const ResizePolicy policy{.follow_larger_memory = config_.resize == FollowResize::reload};
    limits_.emplace(loop_, resources_, plans_, policy,
                    [this](const Resources& now) { return plan_for(now); });
  }
  started_at_ = sys::now();
  if (auto opened = open_http(); !opened) {
    return std::move(opened).error();  // asked for, and a probe would wait for it in vain
  }
  supervisor_.start(started_at_, actions_);
  for (const Action& action : std::exchange(actions_, {})) {
    perform(action);
  }
  while (!exit_code_) {
    uv_run(loop_, UV_RUN_ONCE);
    ++wake_ups_;
  }
  control_.reset();
  http_.reset();
  limits_.reset();
  signals_.reset();
  hooks_.reset();
  pump_.finish(kLastOutputTime);
  terminal_.take_back();
  return *exit_code_;
}

// ---- the turn

void Runtime::turn() {
  was_ready_ = was_ready_ || supervisor_.is_ready();
  follow_limits();
  listen_probe_.look(supervisor_, sys::now());
  examine_hangs();
  guard_memory();
  if (const auto asked_by = std::exchange(reload_asked_by_, std::nullopt)) {
    (void)reload(*asked_by);  // has told in the log what is wrong
  }
  int reaps = 0;
  while (!exit_code_) {
    if (events_.empty()) {
      const auto deadline = supervisor_.next_deadline();
      if (deadline && *deadline <= sys::now()) {
        events_.emplace_back(event::DeadlineReached{});
      } else if (children_may_have_ended_ && reaps++ < kReapsInATurn) {
        children_may_have_ended_ = false;
        reap();
        continue;
      } else {
        break;
      }
    }
    const Event event = std::move(events_.front());
    events_.pop_front();
    actions_.clear();
    supervisor_.on(event, sys::now(), actions_);
    for (const Action& action : actions_) {
      perform(action);
    }
  }
  stop_asked_this_turn_ = false;
  answer_metrics();
  watch_terminal();
  arm_timer();
}

void Runtime::arm_timer() {
  auto deadline = supervisor_.next_deadline();
  for (const auto other : {limits_ ? limits_->next_deadline() : std::nullopt, guards_deadline(),
                           listen_probe_.next_deadline(supervisor_), metrics_rounds_.deadline()}) {
    if (other) {
      deadline = deadline ? std::min(*deadline, *other) : *other;
    }
  }
  if (children_may_have_ended_) {
    deadline = sys::now();  // not all were reaped in this turn
  }
  hooks_->wake_at(exit_code_ ? std::nullopt : deadline, sys::now());
}

void Runtime::read_signals() {
  for (int count = 0; count < kSignalsAtOnce; ++count) {
    const auto received = sys::read_signal(signal_fd_.get());
    if (!received) {
      return;
    }
    if (received->signal == signals::child) {
      children_may_have_ended_ = true;
    } else if (!received->is_about_us()) {
      act_on(*received);
    }
  }
}

void Runtime::act_on(const sys::ReceivedSignal& received) {
  using Does = SignalDecision::Does;
  const ArrivedSignal arrived{.signal = received.signal, .from_kernel = received.from_kernel()};
  const SignalDecision decision = decide(arrived, config_.signals, Mode::cluster);
  switch (decision.does) {
    case Does::nothing:
      break;
    case Does::to_workers:
    case Does::to_groups:
    case Does::to_first_slot:
      post(event::ForwardSignal{.signal = decision.signal.value_or(arrived.signal),
                                .value = received.value,
                                .whole_group = decision.does == Does::to_groups,
                                .first_slot_only = decision.does == Does::to_first_slot});
      break;
    case Does::stop:
      if (arrived.from_kernel &&
          terminal_.lone_holder()) {  // the terminal is gone: as in single mode
        (void)sys::send_signal_to_group(*terminal_.lone_holder(), arrived.signal);
        break;
      }
      // Several that came together are one wish: only one in a later turn means "quickly".
      if (!std::exchange(stop_asked_this_turn_, true)) {
        post(event::StopAsked{.quick = false, .why = to_string(arrived.signal)});
      }
      break;
    case Does::quick_stop:
      post(event::StopAsked{.quick = true, .why = to_string(arrived.signal)});
      break;
    case Does::reload:
      reload_asked_by_ = to_string(arrived.signal);  // several that came together are one wish
      break;
    case Does::more:
    case Does::fewer:
      post(event::ScaleBy{.program = ProgramId{}, .workers = decision.does == Does::more ? 1 : -1});
      break;
  }
}

void Runtime::reap() {
  for (int count = 0; count < kReapedAtOnce; ++count) {
    const sys::Reaped reaped = sys::reap();
    if (!reaped.ended) {
      if (!reaped.anyone_left) {
        post(event::NobodyLeft{});
      }
      return;
    }
    before_end_of(*reaped.ended);
    std::string last_words = take_last_words(*reaped.ended);
    const bool out_of_memory = judge_memory(*reaped.ended, last_words);
    post(event::Exited{.pid = reaped.ended->pid,
                       .status = reaped.ended->status,
                       .out_of_memory = out_of_memory,
                       .last_words = std::move(last_words)});
  }
  children_may_have_ended_ = true;
}

// ---- actions

void Runtime::perform(const Action& action) {
  std::visit(
      Overloaded{
          [this](const action::Spawn& wanted) { spawn(wanted); },
          [this](const action::RunHook& wanted) { run_hook(wanted); },
          [this](const action::Promote& wanted) {
            data_plane_.promote(wanted.worker, wanted.slot);
          },
          [this](const action::Disconnect& wanted) {
            // An answer that comes too late, to a closed channel, would be an error in the worker.
            metrics_rounds_.gone(wanted.worker);
            data_plane_.disconnect(wanted.worker);
          },
          [](const action::SendSignal& wanted) {
            // ESRCH: it has just ended and will be reaped.
            (void)(wanted.whole_group
                       ? sys::send_signal_to_group(wanted.pid, wanted.signal, wanted.value)
                       : sys::send_signal(wanted.pid, wanted.signal, wanted.value));
          },
          [this](const action::Forget& wanted) {
            data_plane_.forget(wanted.worker);
            metrics_rounds_.gone(wanted.worker);
            hangs_.forget(wanted.worker);
            // What it left behind in its group. ESRCH: nothing, as usual.
            (void)sys::send_signal_to_group(wanted.pid, signals::term);
          },
          [this](const action::Serve& wanted) {
            data_plane_.set_serving(wanted.program, wanted.workers);
          },
          [this](const action::SetSlots& wanted) {
            data_plane_.set_slots(wanted.program, wanted.slots);
          },
          [this](const action::StopAccepting&) { data_plane_.stop_accepting(); },
          [this](const action::CloseListeners&) { data_plane_.close_listeners(); },
          [this](const action::SignalRemaining& wanted) {
            if (wanted.signal == signals::kill) {
              name_left_over();
            }
            sys::signal_everyone_left(wanted.signal, std::nullopt);
            children_may_have_ended_ = true;
          },
          [this](const action::RolloutEnded& ended) {
            rollouts_.resize(std::max<std::size_t>(rollouts_.size(), ended.program.value + 1));
            ProgramFigures& figures = rollouts_[ended.program.value];
            ++(ended.succeeded ? figures.rollouts_succeeded : figures.rollouts_failed);
            if (control_) {
              control_->rollout_ended(ended.program, ended.succeeded, ended.reason);
            }
          },
          [this](const action::Report& wanted) { report(wanted); },
          [this](const action::Finish& wanted) {
            exit_code_ = wanted.exit_code;
            const auto noted = write_termination_log(
                config_.termination_log, termination_.text(wanted.exit_code, wanted.reason));
            if (!noted) {
              log_.warn("termination_log", to_string(noted.error()));
            }
            log_.info("finished",
                      fmt::format("ending with exit code {}: {}", wanted.exit_code, wanted.reason),
                      {{"exit_code", wanted.exit_code}});
          },
      },
      action);
}

// Workers are gone; what they left behind did not end on SIGTERM.
void Runtime::name_left_over() {
  constexpr std::size_t kMostNamed = 8;
  std::string names;
  for (const sys::LeftOver& each : sys::everyone_left(kMostNamed)) {
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", each.pid.value(), each.name);
  }
  if (!names.empty()) {
    log_.warn("left_over_killed",
              fmt::format("left behind by workers and not ended in time: SIGKILL to {}", names));
  }
}

void Runtime::spawn(const action::Spawn& wanted) {
  auto channel = data_plane_.open_channel(
      wanted.worker, {.program = wanted.program, .slot = wanted.slot, .parked = wanted.parked});
  if (!channel) {
    post(event::SpawnFailed{.worker = wanted.worker,
                            .exit_code = 126,
                            .reason = to_string(channel.error()),
                            .lacked = true});
    return;
  }
  const auto there = directory_.visit();
  if (!there) {
    data_plane_.forget(wanted.worker);
    post(event::SpawnFailed{
        .worker = wanted.worker, .exit_code = 126, .reason = to_string(there.error())});
    return;
  }
  auto ends = pump_.open(wanted.worker, config_.programs[wanted.program.value].name, wanted.slot,
                         one_has_failed_);
  if (!ends) {
    log_.warn("log_pipe_failed", to_string(ends.error()) + ", its output passes as it is");
    ends = loop::LogPump::Ends{};
  }
  const sys::SpawnResult result =
      launcher_of(wanted.program)
          .start(wanted, channel->get(), {.out = ends->out.get(), .err = ends->err.get()},
                 place_of(wanted));
  ends = loop::LogPump::Ends{};  // ours go, so that the worker's are the last
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&result)) {
    children_may_have_ended_ =
        true;  // what did not get to its program is to be reaped all the same
    data_plane_.forget(wanted.worker);
    pump_.closed(wanted.worker);
    post(event::SpawnFailed{.worker = wanted.worker,
                            .exit_code = failure->exit_code,
                            .reason = failure->message,
                            .lacked = failure->lacked});
    return;
  }
  if (wanted.alone) {
    terminal_.taken_by(std::get<Pid>(result));
  }
  pump_.set_pid(wanted.worker, std::get<Pid>(result));
  post(event::Spawned{.worker = wanted.worker, .pid = std::get<Pid>(result)});
  if (!launcher_of(wanted.program).is_node()) {
    // Nobody will say `online` over the channel: that it runs is all that can be known.
    post(event::Online{wanted.worker});
  }
}

void Runtime::run_hook(const action::RunHook& wanted) {
  const bool before = wanted.hook == Hook::pre_start;
  const auto there = directory_.visit();  // gone: the hook fails in /, by itself
  auto ends =
      pump_.open(wanted.process, before ? "pre_start" : "post_stop", SlotId{}, one_has_failed_);
  if (!ends) {
    ends = loop::LogPump::Ends{};  // its output passes as it is
  }
  const auto started =
      start_hook(before ? config_.pre_start : config_.post_stop, config_.top_level,
                 invocation_.environment, {.out = ends->out.get(), .err = ends->err.get()},
                 {.in = terminal_.other_input(), .descriptor_limit = descriptor_limit_});
  ends = loop::LogPump::Ends{};
  if (const auto* pid = started ? std::get_if<Pid>(&*started) : nullptr) {
    pump_.set_pid(wanted.process, *pid);
    hook_ = wanted.process;
    post(event::Spawned{.worker = wanted.process, .pid = *pid});
    return;
  }
  children_may_have_ended_ = true;
  pump_.closed(wanted.process);
  const auto* failure = started ? std::get_if<sys::SpawnFailure>(&*started) : nullptr;
  post(event::SpawnFailed{
      .worker = wanted.process,
      .exit_code = failure != nullptr ? failure->exit_code : kExitConfiguration,
      .reason = failure != nullptr ? failure->message : to_string(started.error())});
}

void Runtime::warn_of(const Worker& worker, const std::string& message) {
  report({.level = LogLevel::warn,
          .event = "worker_listens",
          .message = fmt::format("slot {}: worker {} {}", worker.slot.value,
                                 worker.pid ? worker.pid->value() : 0, message),
          .program = worker.program,
          .slot = worker.slot,
          .pid = worker.pid});
}

void Runtime::report(const action::Report& report) {
  if (http_) {
    remember(report);
  }
  if (report.level <= LogLevel::warn) {
    termination_.trouble(report.message);
  }
  if (control_) {
    control_->tell(show_value(report.level), report.event, report.message);
  }
  const std::string program = report.program ? config_.programs[report.program->value].name : "";
  const auto write = [&](Log::Fields fields) {
    switch (report.level) {
      case LogLevel::error:
        return log_.error(report.event, report.message, fields);
      case LogLevel::warn:
        return log_.warn(report.event, report.message, fields);
      case LogLevel::info:
        return log_.info(report.event, report.message, fields);
      case LogLevel::debug:
        return log_.debug(report.event, report.message, fields);
    }
  };
  if (report.slot && report.pid) {
    write({{"program", program}, {"slot", report.slot->value}, {"pid", report.pid->value()}});
  } else if (report.slot) {
    write({{"program", program}, {"slot", report.slot->value}});
  } else {
    write({});
  }
}

}  // namespace ni::app
