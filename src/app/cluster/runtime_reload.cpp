// A reload: what the release may have changed is read again, then workers are replaced.

#include <fmt/format.h>

#include "app/cluster/runtime.h"
#include "app/invocation/config_files.h"
#include "base/text.h"

namespace ni::app {

Result<void> Runtime::reload(std::string_view asked_by) {
  const sys::StartingDirectory before = directory_;
  directory_.follow_name();
  auto done = read_again();
  if (!done) {
    directory_ = before;
    const std::string why(trim(done.error().reason));
    log_.error("reload_refused",
               fmt::format("reload ({}) refused, all goes on as it was: {}", asked_by, why));
    return done;
  }
  if (limits_) {
    limits_->restart(plans_);
  }
  post(event::ReloadAsked{});
  return {};
}

Result<void> Runtime::read_again() {
  const auto refuse = [](std::string why) -> Result<void> {
    return Error{.operation = "reload", .subject = {}, .code = 0, .reason = std::move(why)};
  };
  const auto there = directory_.visit();
  if (!there) {
    return refuse(to_string(there.error()));
  }
  const Invocation again =
      read_invocation(invocation_.argv, invocation_.environment,
                      ConfigFiles(invocation_.evaluated_path, invocation_.evaluated));
  if (again.does != Invocation::Does::run) {
    return refuse(again.complaints);
  }
  if (again.config.programs.size() != config_.programs.size()) {
    return refuse("the number of programs has changed, which needs a new container");
  }
  auto prepared = prepare(again, resources_);
  if (!prepared) {
    return refuse(to_string(prepared.error()));
  }
  if (prepared->mode != Mode::cluster) {
    return refuse("the command is no node program any more, which needs a new container");
  }
  for (std::size_t i = 0; i < config_.programs.size(); ++i) {
    const ProgramId program{static_cast<std::uint32_t>(i)};
    supervisor_.reconfigure(program, prepared->config.programs[i]);
    if (prepared->plans[i].workers != plans_[i].workers) {  // else as people have scaled it
      post(event::TargetChanged{.program = program, .workers = prepared->plans[i].workers});
    }
  }
  config_.programs = std::move(prepared->config.programs);
  config_.top_level = std::move(prepared->config.top_level);
  plans_ = std::move(prepared->plans);
  launchers_ = std::move(prepared->launchers);
  invocation_ = again;
  set_guards();
  return {};
}

}  // namespace ni::app
