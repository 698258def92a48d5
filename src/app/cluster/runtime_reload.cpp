// A reload: what the release may have changed is read again, then workers are replaced.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "app/cluster/runtime.h"
#include "app/invocation/config_files.h"
#include "base/text.h"

namespace ni::app {

namespace {

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Result<std::string> Runtime::reload(std::string_view asked_by) {
  const sys::StartingDirectory before = directory_;
  directory_.follow_name();
  const auto done = read_again();
  if (!done) {
    directory_ = before;
    const std::string why(trim(done.error().reason));
    log_.error("reload_refused",
               fmt::format("reload ({}) refused, all goes on as it was: {}", asked_by, why));
    return done.error();
  }
  if (!done->applied.empty()) {
    log_.info("settings_changed", fmt::format("reload: read again and in force from now on: {}",
                                              joined(done->applied)));
  }
  std::string besides;
  if (!done->not_applied.empty()) {
    besides = fmt::format("changed, but not to be had without a new container: {}",
                          joined(done->not_applied));
    log_.warn("settings_not_applied", "reload: " + besides);
  }
  post(event::ReloadAsked{});
  return besides;
}

Result<Changes> Runtime::read_again() {
  const auto refuse = [](std::string why) -> Result<Changes> {
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
  auto deployed = deploy(again, resources_, &deployment_);
  if (!deployed) {
    return refuse(to_string(deployed.error()));
  }
  if (auto had = users_can_be_had(*deployed); !had) {
    return refuse(to_string(had.error()));
  }
  if (deployed->mode != Mode::cluster) {
    return refuse("the command is no node program any more, which needs a new container");
  }
  Changes changes = take_over(*std::move(deployed));
  invocation_ = again;
  return changes;
}

// What stands in the new deployment is from now on what runs, but for what has no way to change.
Changes Runtime::take_over(Deployment again) {
  Changes changes;
  keep_what_stays(deployment_.container, again.container, changes);
  for (DeployedProgram& program : deployment_.programs) {
    DeployedProgram& wanted = again.of(program.id);
    keep_what_stays(program.config, wanted.config,
                    deployment_.programs.size() > 1 ? program.config.name + "." : "", changes);
    if (wanted.plan.workers != program.plan.workers ||
        wanted.plan.least_workers != program.plan.least_workers) {  // else as people have scaled it
      post(event::TargetChanged{.program = program.id,
                                .workers = wanted.plan.fit(target_of(program.id))});
    }
    program.replace(std::move(wanted));
    supervisor_.reconfigure(program.id, program.for_supervisor());
  }
  deployment_.container = std::move(again.container);
  supervisor_.reconfigure(deployment_.for_supervisor());
  log_.set(deployment_.container.log_level, deployment_.container.log_format);
  set_guards();
  set_limits();
  return changes;
}

}  // namespace ni::app
