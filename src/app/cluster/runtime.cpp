#include "app/cluster/runtime.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/cluster/inherited_descriptors.h"
#include "app/invocation/config_files.h"
#include "app/logs/log_setup.h"
#include "app/logs/termination_log.h"
#include "base/text.h"
#include "core/command/launch.h"
#include "core/container/usage.h"
#include "core/settings/setting_values.h"
#include "core/sizing/explain.h"
#include "core/sizing/sizing.h"
#include "loop/boundary.h"
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

std::vector<ProgramPlan> program_plans(const Deployment& deployment) {
  std::vector<ProgramPlan> result;
  for (const DeployedProgram& program : deployment.programs) {
    result.push_back(program.for_supervisor());
  }
  return result;
}

DataPlaneSettings data_plane_settings(const Deployment& deployment, const Environment& environment,
                                      const sys::StartingDirectory& directory, Log& log,
                                      MetricsRounds& rounds, Duration& parsing,
                                      std::function<void(const primary_action::Counted&)> counted) {
  DataPlaneSettings settings;
  settings.counted = std::move(counted);
  settings.inherited = listen_descriptors(environment);
  settings.directory = &directory;
  for (const DeployedProgram& program : deployment.programs) {
    settings.programs.push_back(
        {.balance = balance_for(program.config.command.front(), program.config.balance),
         .slots = program.plan.least_workers});
    settings.users.push_back(program.launcher ? program.launcher->user() : std::nullopt);
  }
  settings.warn = [&log](std::string_view message) { log.warn("data_plane", message); };
  settings.metrics_answered = [&rounds, &parsing](Incarnation worker, std::string_view line) {
    const Instant begun = sys::now();
    rounds.answered(worker, line);
    parsing += sys::now() - begun;
  };
  return settings;
}

}  // namespace

Runtime::Runtime(uv_loop_t* loop, Invocation invocation, Resources resources, Deployment deployment,
                 Log& log)
    : loop_(loop),
      invocation_(std::move(invocation)),
      deployment_(std::move(deployment)),
      resources_(std::move(resources)),
      log_(log),
      pump_(loop, log_settings(deployment_.container, deployment_.plans()),
            [&log](wire::LogStream stream, int error) { tell_trouble(log, stream, error); }),
      supervisor_(deployment_.for_supervisor(), program_plans(deployment_),
                  Random(static_cast<std::uint64_t>(sys::now().time_since_epoch().count()))),
      data_plane_(loop,
                  data_plane_settings(deployment_, invocation_.environment, directory_, log,
                                      metrics_rounds_, metrics_parsing_,
                                      [this](const auto& figures) { hear_figures(figures); }),
                  [this](Event event) { hear(std::move(event)); }),
      starts_(loop, [this](Incarnation process,
                           const sys::SpawnResult& result) { start_decided(process, result); }),
      listen_probe_(
          {.post = [this](Event event) { post(std::move(event)); },
           .warn = [this](const Worker& worker,
                          const std::string& message) { warn_of(worker, message); },
           .inspector_port =
               [this](const Worker& worker) {
                 return launcher_of(worker.program).inspector_port(worker.inspector.value_or(0));
               }}),
      orphans_([this](LogLevel level, std::string_view event, std::string message) {
        this->report({.level = level,
                      .event = event,
                      .message = std::move(message),
                      .program = {},
                      .slot = {},
                      .pid = {}});
      }),
      guards_(deployment_, supervisor_, log_,
              {.post = [this](Event event) { post(std::move(event)); },
               .is_unresponsive =
                   [this](Incarnation worker) { return data_plane_.is_unresponsive(worker); },
               .excuse = [this](Incarnation worker) { data_plane_.excuse(worker); },
               .loop_delay =
                   [this](Incarnation worker) {
                     return data_plane_.latest_loop_delay(worker, sys::now());
                   }}),
      load_scaler_(
          deployment_, supervisor_,
          {.ask = [this](Incarnation worker) { (void)data_plane_.ask_connections(worker); },
           .scale = [this](const DeployedProgram& program, unsigned wanted,
                           const std::string& why) { scale_by_load(program, wanted, why); }}),
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
  for (const DeployedProgram& program : deployment_.programs) {
    log_.info("limits", limits_line(resources_, program.plan));
    for (const std::string& warning : program.plan.warnings) {
      log_.warn("limits", warning);
    }
  }
  leave_surroundings();
  set_guards();
  if (auto opened = open_control(); !opened) {
    return refuse_to_start(opened.error());
  }
  set_limits();
  open_adoption();
  started_at_ = sys::now();
  if (auto opened = open_http(); !opened) {
    return refuse_to_start(opened.error());  // asked for, and a probe would wait for it in vain
  }
  supervisor_.start(started_at_, actions_);
  perform_all();
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

// What was asked for cannot be had: nothing is started.
int Runtime::refuse_to_start(const Error& error) {
  log_.error("wrong_configuration", to_string(error));
  const auto noted = write_termination_log(deployment_.container.termination_log,
                                           termination_.text(kExitConfiguration, to_string(error)));
  if (!noted) {
    log_.warn("termination_log", to_string(noted.error()));
  }
  pump_.finish(kLastOutputTime);
  return kExitConfiguration;
}

// ---- the turn

void Runtime::handle_now(const Event& event) {
  actions_.clear();
  status_text_.is_old();
  events_text_.is_old();
  supervisor_.on(event, sys::now(), actions_);
  perform_all();
}

// One for which there is no memory does not take the others with it.
void Runtime::perform_all() {
  for (const Action& action : actions_) {
    if (!loop::within_boundary([&] { perform(action); })) {
      went_without(action);
    }
  }
}

void Runtime::went_without(const Action& action) {
  constexpr int kFailed = 126;
  if (const auto* const wanted = std::get_if<action::Spawn>(&action)) {
    post(event::SpawnFailed{.worker = wanted->worker,
                            .exit_code = kFailed,
                            .reason = "no memory for a process",
                            .lacked = true});
  }
}

void Runtime::turn() {
  tell_of_drops();
  was_ready_ = was_ready_ || supervisor_.is_ready();
  follow_limits();
  starts_.hurry(supervisor_.phase() >= Phase::stopping, sys::now());
  if (events_.empty()) {  // one that has asked for a socket in this turn has it already
    listen_probe_.look(supervisor_, sys::now());
  }
  guards_.act(sys::now());
  load_scaler_.act(sys::now());
  look_for_kills();
  orphans_.act(sys::now());
  if (const auto asked_by = std::exchange(reload_asked_by_, std::nullopt)) {
    (void)reload(*asked_by);  // has told in the log what is wrong
  }
  scale_as_wanted();
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
    handle_now(event);
  }
  stop_asked_this_turn_ = false;
  ask_for_metrics();
  answer_metrics();
  watch_terminal();
  arm_timer();
}

void Runtime::tell_of_drops() {
  constexpr Duration kBetweenWarnings = 60s;
  const std::uint64_t drops = loop::drops_for_memory();
  const Instant now = sys::now();
  if (drops == told_drops_ || (told_drops_at_ && now < *told_drops_at_ + kBetweenWarnings)) {
    return;
  }
  told_drops_at_ = now;
  log_.warn("memory", fmt::format("PID 1 had no memory for {} things that it was about to do, and "
                                  "went on without them",
                                  drops - std::exchange(told_drops_, drops)));
}

void Runtime::arm_timer() {
  auto deadline = supervisor_.next_deadline();
  for (const auto other :
       {limits_ ? limits_->next_deadline() : std::nullopt, guards_.next_deadline(),
        starts_.next_deadline(), listen_probe_.next_deadline(supervisor_), metrics_deadline(),
        next_kill_look_, load_scaler_.next_deadline(), orphans_.next_deadline()}) {
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
  const SignalDecision decision = decide(arrived, deployment_.container.signals, Mode::cluster);
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
        post(event::StopAsked{
            .quick = false, .why = to_string(arrived.signal), .signal = decision.signal});
      }
      break;
    case Does::quick_stop:
      post(event::StopAsked{
          .quick = true, .why = to_string(arrived.signal), .signal = decision.signal});
      break;
    case Does::reload:
      if (only_forwards_to_chain(arrived.signal, received.value)) {
        break;
      }
      reload_asked_by_ = to_string(arrived.signal);  // several that came together are one wish
      break;
    case Does::more:
    case Does::fewer:
      if (only_forwards_to_chain(arrived.signal, received.value)) {
        break;
      }
      want_more_workers(ProgramId{}, decision.does == Does::more ? 1 : -1,
                        to_string(arrived.signal));
      break;
  }
}

void Runtime::settle_starts() {
  std::deque<Event> others = std::exchange(events_, {});
  starts_.look();
  for (const Event& event : std::exchange(events_, std::move(others))) {
    handle_now(event);
  }
}

void Runtime::reap() {
  for (int count = 0; count < kReapedAtOnce; ++count) {
    const sys::Reaped reaped = sys::reap();
    if (!reaped.ended) {
      if (!reaped.anyone_left && !(control_ && control_->is_being_read(sys::now()))) {
        post(event::NobodyLeft{});
      }
      return;
    }
    // It may have got to its program and ended since we looked: then it is to be known first.
    settle_starts();
    orphans_.reaped(
        reaped.ended->pid, [this](Pid pid) { return is_hook(pid); },
        supervisor_.phase() < Phase::stopping, sys::now());
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
  const std::string program = report.program ? deployment_.of(*report.program).config.name : "";
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
