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
    limits_->restart(deployment_.plans());
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
  if (again.config.programs.size() != deployment_.programs.size()) {
    return refuse("the number of programs has changed, which needs a new container");
  }
  auto deployed = deploy(again, resources_);
  if (!deployed) {
    return refuse(to_string(deployed.error()));
  }
  if (auto had = users_can_be_had(*deployed); !had) {
    return refuse(to_string(had.error()));
  }
  if (deployed->mode != Mode::cluster) {
    return refuse("the command is no node program any more, which needs a new container");
  }
  for (DeployedProgram& program : deployment_.programs) {
    DeployedProgram& wanted = deployed->of(program.id);
    supervisor_.reconfigure(program.id, wanted.config);
    if (wanted.plan.workers != program.plan.workers) {  // else as people have scaled it
      post(event::TargetChanged{.program = program.id, .workers = wanted.plan.workers});
    }
    program.replace(std::move(wanted));
  }
  deployment_.container.top_level = std::move(deployed->container.top_level);
  invocation_ = again;
  set_guards();
  return {};
}

}  // namespace ni::app
