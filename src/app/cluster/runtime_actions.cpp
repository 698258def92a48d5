// What the supervisor wants done, is done here.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "app/cluster/runtime.h"
#include "app/logs/termination_log.h"
#include "base/overloaded.h"
#include "inside_text.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/reap.h"
#include "sys/signals.h"

namespace ni::app {

void Runtime::perform(const Action& action) {
  std::visit(Overloaded{
                 [this](const action::Spawn& wanted) { spawn(wanted); },
                 [this](const action::RunHook& wanted) { run_hook(wanted); },
                 [this](const action::Promote& wanted) {
                   data_plane_.promote(wanted.worker, wanted.slot);
                 },
                 [this](const action::Retire& wanted) {
                   metrics_rounds_.gone(wanted.worker);
                   data_plane_.retire(wanted.worker, wanted);
                 },
                 [this](const action::Disconnect& wanted) {
                   // An answer that comes too late, to a closed channel, would be an error in the worker.
                   metrics_rounds_.gone(wanted.worker);
                   data_plane_.disconnect(wanted.worker);
                 },
                 [this](const action::SendSignal& wanted) { send_signal(wanted); },
                 [this](const action::Forget& wanted) {
                   forget(wanted.worker);
                   // What it left behind in its group. ESRCH: nothing, as usual.
                   (void)sys::send_signal_to_group(wanted.pid, signals::term);
                   look_after_orphans(wanted);
                 },
                 [this](const action::Serve& wanted) {
                   data_plane_.set_serving(wanted.program, wanted.workers);
                 },
                 [this](const action::SetSlots& wanted) {
                   data_plane_.set_slots(wanted.program, wanted.slots);
                 },
                 [this](const action::StopAccepting&) {
                   data_plane_.stop_accepting();
                   let_go_of_adopted_outputs();
                 },
                 [this](const action::CloseListeners& wanted) {
                   wanted.program ? data_plane_.close_listeners_of(*wanted.program)
                                  : data_plane_.close_listeners();
                   if (!wanted.program && control_) {  // before what is left gets SIGTERM
                     control_->drained(sys::now());
                   }
                 },
                 [this](const action::SignalRemaining& wanted) {
                   if (wanted.signal == signals::kill) {
                     name_left_over();
                   }
                   sys::signal_everyone_left(wanted.signal, std::nullopt);
                   children_may_have_ended_ = true;
                 },
                 [this](const action::RolloutEnded& ended) {
                   DeployedProgram& program = deployment_.of(ended.program);
                   ++(ended.succeeded ? program.rollouts_succeeded : program.rollouts_failed);
                   if (control_) {
                     control_->rollout_ended(ended.program, ended.succeeded, ended.reason);
                   }
                 },
                 [this](const action::Report& wanted) { report(wanted); },
                 [this](const action::Finish& wanted) {
                   exit_code_ = wanted.exit_code;
                   const auto noted =
                       write_termination_log(deployment_.container.termination_log,
                                             termination_.text(wanted.exit_code, wanted.reason));
                   if (!noted) {
                     log_.warn("termination_log", to_string(noted.error()));
                   }
                   log_.info(
                       "finished",
                       fmt::format("ending with exit code {}: {}", wanted.exit_code, wanted.reason),
                       {{"exit_code", wanted.exit_code}});
                 },
             },
             action);
}

// Everybody who remembers a worker by its incarnation has a line here, but the listen probe: it lets
// go of whoever has become a server, too, and so looks for itself.
void Runtime::forget(Incarnation worker) {
  data_plane_.forget(worker);
  metrics_rounds_.gone(worker);
  server_signals_.gone(worker);
  saturation_.gone(worker);
  guards_.forget(worker);
  load_scaler_.forget(worker);
  proportional_.erase(worker);
  chains_.erase(worker);
  heap_mib_.erase(worker);
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

std::string Runtime::module_path() {
  constexpr std::array<std::string_view, 3> kFolders = {"/dev/shm", "/run", "/tmp"};
  if (module_ && module_->is_intact()) {
    return module_->path();
  }
  const auto time = static_cast<std::uint64_t>(sys::now().time_since_epoch().count());
  const std::uint64_t salt = sys::random_number().value_or(time);
  auto made = sys::PrivateFile::make(kFolders, "inside.cjs", kModuleInside, salt);
  if (made) {
    module_ = std::move(*made);
    return module_->path();
  }
  module_.reset();
  if (!std::exchange(module_refused_, true)) {
    log_.warn(
        "module_inside",
        fmt::format(
            "{}: no place for the module inside (tried /dev/shm, /run, /tmp); workers run without "
            "it: they "
            "are disconnected before their stop signal, and their connections are not counted",
            to_string(made.error())));
  }
  return {};
}

void Runtime::spawn(const action::Spawn& wanted) {
  if (wanted.chain && adoption_) {
    return spawn_chain(wanted);
  }
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
  const loop::LogPump::Ends ends = open_outputs(wanted);
  WorkerPlace place = place_of(wanted);
  if (launcher_of(wanted.program).has_module()) {
    place.module = module_path();
  }
  WorkerOutput output{.out = ends.out.get(), .err = ends.err.get()};
  if (const auto& adopted = deployment_.of(wanted.program).adopted) {
    if (adopted->out) output.out = adopted->out->get();
    if (adopted->err) output.err = adopted->err->get();
  }
  auto begun = launcher_of(wanted.program).start(wanted, channel->get(), output, place);
  follow_start(wanted, std::move(begun));
}

loop::LogPump::Ends Runtime::open_outputs(const action::Spawn& wanted) {
  auto ends = pump_.open(wanted.worker, deployment_.of(wanted.program).config.name, wanted.slot,
                         one_has_failed_);
  if (!ends) {
    log_.warn("log_pipe_failed", to_string(ends.error()) + ", its output passes as it is");
    return {};
  }
  return *std::move(ends);
}

void Runtime::follow_start(const action::Spawn& wanted, BegunStart begun) {
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&begun)) {
    start_decided(wanted.worker, *failure);
    return;
  }
  auto& starting = std::get<sys::Starting>(begun);
  if (wanted.alone) {
    terminal_.taken_by(starting.pid());
  }
  pump_.set_pid(wanted.worker, starting.pid());
  if (const auto& heap = deployment_.of(wanted.program).plan.heap) {
    heap_mib_[wanted.worker] = heap->old_space_mib;
  }
  orphans_.add(wanted.worker, wanted.instance, starting.pid());
  starts_.add(wanted.worker, std::move(starting), sys::now());
}

// Of a worker or a hook.
void Runtime::start_decided(Incarnation process, const sys::SpawnResult& result) {
  const auto worker = supervisor_.workers().find(process);
  const bool is_worker = worker != supervisor_.workers().end();
  if (const auto* failure = std::get_if<sys::SpawnFailure>(&result)) {
    children_may_have_ended_ =
        true;  // what did not get to its program is to be reaped all the same
    if (is_worker) {
      data_plane_.forget(process);
      orphans_.drop(process);
      heap_mib_.erase(process);
    }
    pump_.closed(process);
    post(event::SpawnFailed{.worker = process,
                            .exit_code = failure->exit_code,
                            .reason = failure->message,
                            .lacked = failure->lacked});
    return;
  }
  post(event::Spawned{.worker = process, .pid = std::get<Pid>(result)});
  if (is_worker && !worker->second.chain && !launcher_of(worker->second.program).is_node()) {
    // Nobody will say `online` over the channel: that it runs is all that can be known.
    post(event::Online{process});
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
  auto begun =
      start_hook(before ? deployment_.container.pre_start : deployment_.container.post_stop,
                 deployment_.container.top_level, invocation_.environment,
                 {.out = ends->out.get(), .err = ends->err.get()},
                 {.in = terminal_.other_input(), .descriptor_limit = descriptor_limit_});
  ends = loop::LogPump::Ends{};
  if (!begun) {
    start_decided(wanted.process, sys::SpawnFailure{.exit_code = kExitConfiguration,
                                                    .message = to_string(begun.error())});
  } else if (const auto* failure = std::get_if<sys::SpawnFailure>(&*begun)) {
    start_decided(wanted.process, *failure);
  } else {
    auto& starting = std::get<sys::Starting>(*begun);
    hook_ = wanted.process;
    pump_.set_pid(wanted.process, starting.pid());
    starts_.add(wanted.process, std::move(starting), sys::now());
  }
}

}  // namespace ni::app
