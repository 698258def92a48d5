#include "app/cluster/deployment.h"

#include <unistd.h>
#include <climits>

#include <array>
#include <utility>

#include "app/invocation/config_files.h"
#include "core/command/launch.h"
#include "core/command/user.h"
#include "core/deaths/memory_guard.h"
#include "core/sizing/sizing.h"
#include "sys/credentials.h"

namespace ni::app {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// Absolute. When the directory is gone nothing is found in it, and spawn() will say so.
std::string working_directory(const ProgramConfig& program) {
  const std::string wanted = program.directory.value_or("");
  if (wanted.starts_with('/')) {
    return wanted;
  }
  std::array<char, PATH_MAX> here{};
  const std::string current = ::getcwd(here.data(), here.size()) != nullptr ? here.data() : "/";
  return wanted.empty() ? current : current + "/" + wanted;
}

Launch launch_of(const ProgramConfig& program, Mode mode, const Environment& environment) {
  const auto value = [&](std::string_view name) {
    const auto own = find_variable(program.environment, name);
    return std::string(own ? *own : find_variable(environment, name).value_or(""));
  };
  const std::string directory = working_directory(program);
  const std::string path = value("PATH");
  const std::string node_path = value("NODE_PATH");
  return resolve_launch({.command = program.command,
                         .mode = mode,
                         .directory = directory,
                         .path = path.empty() ? kDefaultPath : path,
                         .node_path = node_path,
                         .job = sign_of_job(environment),
                         .adopt = program.adopt && program.ready != Readiness::online},
                        ConfigFiles());
}

// Puts what `launch` found into the program's configuration.
void take_over(ProgramConfig& program, const Launch& launch, const Environment& environment) {
  program.command = launch.argv;
  if (!launch.directory.empty()) {
    program.directory = launch.directory;
  }
  for (const auto& [name, value] : launch.environment) {
    if (!find_variable(program.environment, name)) {
      program.environment.emplace_back(name, value);
    }
  }
  if (!launch.path.empty()) {
    const auto own = find_variable(program.environment, "PATH");
    std::string path;
    for (const std::string& folder : launch.path) {
      path += folder + ":";
    }
    path += own.value_or(find_variable(environment, "PATH").value_or(kDefaultPath));
    std::erase_if(program.environment, [](const auto& entry) { return entry.first == "PATH"; });
    program.environment.emplace_back("PATH", std::move(path));
  }
}

}  // namespace

bool is_plainly_single(const Invocation& invocation) {
  const Config& config = invocation.config;
  if (config.programs.size() != 1 || config.mode != Mode::automatic) {
    return config.programs.size() == 1 && config.mode == Mode::single;
  }
  const Launch launch = launch_of(config.programs.front(), config.mode, invocation.environment);
  return launch.mode == Mode::single && launch.advice.empty() && launch.note.empty();
}

void DeployedProgram::replace(DeployedProgram again) {
  again.rollouts_succeeded = rollouts_succeeded;
  again.rollouts_failed = rollouts_failed;
  const auto process = std::move(adopted);
  *this = std::move(again);
  if (process) {
    adopt(*process);
  }
}

void DeployedProgram::adopt(AdoptedProcess process) {
  launcher = Launcher::as_adopted(config, process, plan);
  adopted = std::move(process);
}

ProgramPlan DeployedProgram::for_supervisor() const {
  return {.config = config,
          .workers = plan.least_workers,
          .signal_group = !waits_to_adopt() && launcher->signals_group(),
          .module_inside = launcher->has_module(),
          .adopts = waits_to_adopt()};
}

SupervisorSettings Deployment::for_supervisor() const {
  return {.grace = container.grace,
          .stop_delay = container.stop_delay,
          .pre_start = !container.pre_start.empty(),
          .post_stop = !container.post_stop.empty()};
}

void DeployedProgram::take_launcher(DeployedProgram& again) {
  if (adopted) {
    launcher = Launcher::as_adopted(config, *adopted, again.plan);
  } else {
    again.launcher->stay_in_release_of(*launcher);
    launcher = std::move(again.launcher);
  }
  memory_allowed = again.memory_allowed;
}

std::vector<Plan> Deployment::plans() const {
  std::vector<Plan> plans;
  for (const DeployedProgram& program : programs) {
    plans.push_back(program.plan);
  }
  return plans;
}

Config Deployment::whole_config() const {
  Config whole = container;
  for (const DeployedProgram& program : programs) {
    whole.programs.push_back(program.config);
  }
  return whole;
}

Result<void> users_can_be_had(const Deployment& deployment) {
  for (const DeployedProgram& program : deployment.programs) {
    if (program.launcher && program.launcher->user()) {
      if (auto can = sys::can_become(*program.launcher->user()); !can) {
        return can;
      }
    }
  }
  const Config& container = deployment.container;
  const bool any_hook = !container.pre_start.empty() || !container.post_stop.empty();
  if (any_hook && container.top_level.user) {
    NI_TRY(const UserIds user, resolve_user(*container.top_level.user, ConfigFiles()));
    return sys::can_become(user);
  }
  return {};
}

Result<Deployment> deploy(const Invocation& invocation, const Resources& resources,
                          const Deployment* before) {
  Deployment deployment;
  deployment.container = invocation.config;
  auto& configs = deployment.container.programs;
  std::vector<Launch> launches;
  for (ProgramConfig& program : configs) {
    if (program.command.empty()) {  // --explain without a command
      launches.emplace_back();
      continue;
    }
    // Several programs are always supervised: single mode knows only one worker.
    const Mode mode = configs.size() > 1 ? Mode::cluster : invocation.config.mode;
    Launch launch = launch_of(program, mode, invocation.environment);
    if (launch.mode == Mode::cluster) {
      if (launch.argv != program.command) {
        deployment.remarks.push_back({LogLevel::info, launch.reason});
      }
      take_over(program, launch, invocation.environment);
      deployment.mode = Mode::cluster;
    }
    if (!launch.advice.empty()) {
      deployment.remarks.push_back({LogLevel::warn, launch.advice});
    }
    if (!launch.note.empty()) {
      deployment.remarks.push_back({LogLevel::info, launch.note});
    }
    launches.push_back(std::move(launch));
  }
  auto plans = plan_programs(resources, deployment.container, invocation.environment);
  const Config whole = deployment.container;
  for (ProgramConfig& config : std::exchange(configs, {})) {
    const std::size_t i = deployment.programs.size();
    DeployedProgram program{.id = ProgramId{static_cast<std::uint32_t>(i)},
                            .config = std::move(config),
                            .plan = std::move(plans[i]),
                            .planned_workers = 1,
                            .reason = launches[i].reason,
                            .launcher = {},
                            .adopts = launches[i].adopts,
                            .adopted = {},
                            .memory_allowed = {}};
    program.planned_workers = program.plan.workers;
    const bool known = before != nullptr && i < before->programs.size();
    if (const auto asked = known ? before->programs[i].asked : std::nullopt;
        asked && asked->instead_of == program.planned_workers) {
      program.asked = asked;
      program.plan = plan_for_number(resources, whole, i, invocation.environment, asked->workers);
    }
    program.memory_allowed =
        memory_allowed(program.config.max_memory, program.plan.memory_per_worker);
    if (deployment.mode == Mode::cluster) {
      NI_TRY(program.launcher,
             Launcher::prepare(program.config, launches[i], program.plan, invocation.environment));
    }
    deployment.programs.push_back(std::move(program));
  }
  return deployment;
}

}  // namespace ni::app
