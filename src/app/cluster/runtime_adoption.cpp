// A command that is run as it is, and the Node process below it that becomes the program.

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/proc_tree.h"

namespace ni::app {
namespace {

// What start_chain() has added, wherever it stands by now.
void without_module(Environment& environment, const std::string& module) {
  std::erase_if(environment, [](const auto& entry) { return entry.first == kAdoptVariable; });
  const std::string added = "--require=" + module;
  for (auto& [name, value] : environment) {
    if (name != "NODE_OPTIONS") continue;
    for (const std::string& form : {" " + added, added + " ", added}) {
      if (const std::size_t at = value.find(form); at != std::string::npos) {
        value.erase(at, form.size());
        break;
      }
    }
  }
  std::erase_if(environment, [](const auto& entry) {
    return entry.first == "NODE_OPTIONS" && trim(entry.second).empty();
  });
}

}  // namespace

void Runtime::open_adoption() {
  const bool wanted = std::ranges::any_of(deployment_.programs, &DeployedProgram::adopts);
  if (!wanted) {
    return;
  }
  auto opened = AdoptionServer::open(
      loop_, {.whose = [this](Pid process) { return who_adopts(process); },
              .limit_of_workers = [this] { return descriptor_limit_; },
              .adopt =
                  [this](Incarnation worker, AdoptedProcess process, sys::UniqueFd channel) {
                    adopt(worker, std::move(process), std::move(channel));
                  },
              .refused =
                  [this](Pid process, const std::string& why) {
                    // All of a program's own cluster would say the same.
                    if (std::exchange(told_refusal_, why) == why) return;
                    log_.info("not_adopted",
                              fmt::format("process {} is about to listen and stays one process: {}",
                                          process.value(), why));
                  }});
  if (!opened) {
    log_.warn("adoption", to_string(opened.error()) + "; the command runs as one process");
    return;
  }
  adoption_ = std::move(*opened);
}

void Runtime::spawn_chain(const action::Spawn& wanted) {
  const auto there = directory_.visit();
  if (!there) {
    post(event::SpawnFailed{
        .worker = wanted.worker, .exit_code = 126, .reason = to_string(there.error())});
    return;
  }
  const loop::LogPump::Ends ends = open_outputs(wanted);
  Chain& chain = chains_[wanted.worker];
  chain.outputs = {sys::identity_of(ends.out ? ends.out.get() : STDOUT_FILENO),
                   sys::identity_of(ends.err ? ends.err.get() : STDERR_FILENO)};
  WorkerPlace place = place_of(wanted);
  place.module = module_path();
  auto begun = launcher_of(wanted.program)
                   .start_chain(wanted, adoption_->address(),
                                {.out = ends.out.get(), .err = ends.err.get()}, place);
  follow_start(wanted, std::move(begun));
}

std::variant<Incarnation, std::string> Runtime::who_adopts(Pid process) const {
  for (const auto& [incarnation, worker] : supervisor_.workers()) {
    const auto chain = chains_.find(incarnation);
    if (chain == chains_.end() || !worker.pid || !sys::is_within(process, *worker.pid)) {
      continue;
    }
    if (chain->second.program) {
      return chain->second.program == process
                 ? std::string()
                 : fmt::format("process {} of the same command was adopted before",
                               chain->second.program->value());
    }
    if (worker.state != WorkerState::starting || supervisor_.phase() != Phase::running) {
      return std::string("its command is ending");
    }
    return incarnation;
  }
  return std::string();
}

void Runtime::adopt(Incarnation incarnation, AdoptedProcess process, sys::UniqueFd channel) {
  const Worker& worker = supervisor_.workers().at(incarnation);
  Chain& chain = chains_.at(incarnation);
  chain.program = process.pid;
  // A program that writes elsewhere than its command (a pipe to a formatter) has siblings that do.
  if (sys::identity_of(process.out->get()) == chain.outputs[0]) process.out.reset();
  if (sys::identity_of(process.err->get()) == chain.outputs[1]) process.err.reset();
  without_module(process.environment, module_path());
  DeployedProgram& program = deployment_.of(worker.program);
  program.adopt(std::move(process));
  data_plane_.set_user(worker.program, program.launcher->user());
  data_plane_.attach_channel(incarnation, {.program = worker.program, .slot = worker.slot},
                             std::move(channel));
  post(event::Adopted{.worker = incarnation, .module_inside = program.launcher->has_module()});
  set_guards();
}

// Nobody is started any more, and who reads there waits for the end.
void Runtime::let_go_of_adopted_outputs() {
  for (DeployedProgram& program : deployment_.programs) {
    if (program.adopted) {
      program.adopted->out.reset();
      program.adopted->err.reset();
    }
  }
}

// As in single mode, as long as nobody below the command was adopted.
bool Runtime::only_forwards_to_chain(Signal signal, std::optional<SignalValue> value) {
  if (!supervisor_.programs().front().adopts) {
    return false;
  }
  post(event::ForwardSignal{
      .signal = signal, .value = value, .whole_group = false, .first_slot_only = true});
  return true;
}

// ESRCH: it has just ended and will be reaped.
void Runtime::send_signal(const action::SendSignal& wanted) const {
  const auto chain = chains_.find(wanted.worker);
  const std::optional<Pid> program = chain != chains_.end() && chain->second.program &&
                                             sys::is_within(*chain->second.program, wanted.pid)
                                         ? chain->second.program
                                         : std::nullopt;
  // A shell above the program would die of its signal and leave the program behind.
  if (program && !wanted.whole_group) {
    (void)sys::send_signal(*program, wanted.signal, wanted.value);
    return;
  }
  if (program) (void)sys::send_signal(*program, wanted.signal, wanted.value);
  (void)(wanted.whole_group ? sys::send_signal_to_group(wanted.pid, wanted.signal, wanted.value)
                            : sys::send_signal(wanted.pid, wanted.signal, wanted.value));
}

}  // namespace ni::app
