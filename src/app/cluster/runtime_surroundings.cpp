// The runtime and where it lives: the directory that it leaves, the terminal that it lends.

#include <algorithm>

#include "app/cluster/runtime.h"
#include "base/text.h"

namespace ni::app {

void Runtime::leave_surroundings() {
  directory_ = sys::StartingDirectory::leave(
      std::string(find_variable(invocation_.environment, "PWD").value_or("")));
  if (deployment_.programs.size() == 1) {
    terminal_ = TerminalLease::find();
  }
}

Result<Deployment> Runtime::deploy_again(const Invocation& invocation,
                                         const Resources& resources) const {
  NI_TRY(const auto there, directory_.visit());
  return deploy(invocation, resources, &deployment_);
}

WorkerPlace Runtime::place_of(const action::Spawn& wanted) const {
  return {.in = wanted.alone ? -1 : terminal_.other_input(),
          .foreground_of = wanted.alone ? terminal_.fd() : -1,
          .descriptor_limit = descriptor_limit_};
}

void Runtime::watch_terminal() {
  if (!terminal_.exists()) {
    return;
  }
  if (supervisor_.programs().front().stage != Program::Stage::probing) {
    terminal_.end_of_being_alone();
  }
  while (const auto stopped = sys::take_stopped()) {
    const bool wants_terminal = stopped->by == signals::ttin || stopped->by == signals::ttou;
    const bool is_worker = std::ranges::any_of(
        supervisor_.workers(),
        [&stopped](const auto& entry) { return entry.second.pid == stopped->pid; });
    if (wants_terminal && is_worker) {
      terminal_.give_to(stopped->pid);
    }
  }
}

void Runtime::before_end_of(const sys::Ended& ended) {
  if (terminal_.holder() != ended.pid) {
    return;
  }
  terminal_.take_back();
  if (ended.status.was(signals::interrupt)) {
    post(event::StopAsked{.quick = false, .why = "Ctrl-C", .signal = signals::interrupt});
  }
}

}  // namespace ni::app
