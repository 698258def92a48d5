#include "app/cluster/prepare.h"

#include <unistd.h>
#include <climits>

#include <array>

#include "app/invocation/config_files.h"
#include "core/command/launch.h"
#include "core/sizing/sizing.h"

namespace ni::app {
namespace {

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
    path +=
        own.value_or(find_variable(environment, "PATH").value_or("/usr/local/bin:/usr/bin:/bin"));
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
  const ProgramConfig& program = config.programs.front();
  const std::string directory = working_directory(program);
  const Launch launch = resolve_launch(
      {.command = program.command, .mode = config.mode, .directory = directory}, ConfigFiles());
  return launch.mode == Mode::single && launch.advice.empty();
}

Result<Prepared> prepare(const Invocation& invocation, const Resources& resources) {
  Prepared prepared;
  prepared.config = invocation.config;
  auto& programs = prepared.config.programs;
  std::vector<Launch> launches;
  for (ProgramConfig& program : programs) {
    if (program.command.empty()) {  // --explain without a command
      launches.emplace_back();
      continue;
    }
    // Several programs are always supervised: single mode knows only one worker.
    const Mode mode = programs.size() > 1 ? Mode::cluster : invocation.config.mode;
    const std::string directory = working_directory(program);
    Launch launch = resolve_launch(
        {.command = program.command, .mode = mode, .directory = directory}, ConfigFiles());
    if (launch.mode == Mode::cluster) {
      if (launch.argv != program.command) {
        prepared.remarks.push_back({LogLevel::info, launch.reason});
      }
      take_over(program, launch, invocation.environment);
      prepared.mode = Mode::cluster;
    }
    if (!launch.advice.empty()) {
      prepared.remarks.push_back({LogLevel::warn, launch.advice});
    }
    launches.push_back(std::move(launch));
  }
  prepared.plans = plan_programs(resources, prepared.config, invocation.environment);
  if (prepared.mode == Mode::cluster) {
    for (std::size_t i = 0; i < programs.size(); ++i) {
      NI_TRY(Launcher launcher, Launcher::prepare(programs[i], launches[i], prepared.plans[i],
                                                  invocation.environment));
      prepared.launchers.push_back(std::move(launcher));
    }
  }
  return prepared;
}

}  // namespace ni::app
