#include "app/cluster/launcher.h"

#include <algorithm>
#include <array>

#include "app/cluster/inherited_descriptors.h"
#include "app/cluster/node_binary.h"
#include "app/invocation/config_files.h"
#include "app/logs/output_owner.h"
#include "base/text.h"
#include "core/command/node_arguments.h"
#include "core/command/user.h"
#include "core/sizing/sizing.h"
#include "sys/fd.h"
#include "sys/read_file.h"
#include "sys/starting_directory.h"

namespace ni::app {
namespace {

// What a cluster primary above us, or the user by mistake, may have set: it means us, not our
// workers.
bool is_channel_variable(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {
      "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"};
  return std::ranges::find(kNames, name) != kNames.end();
}

// When memory ends the kernel must take a worker, which is replaced, not PID 1, which takes the container along. The
// step is small: beside other containers of the machine ours shall weigh as the platform has decided. Raising needs no
// right (proc(5), oom_score_adj).
std::optional<int> score_above_ours() {
  constexpr int kStep = 10;
  constexpr int kHighest = 1000;
  const auto text = sys::read_file("/proc/self/oom_score_adj");
  const auto ours = text ? parse_number<int>(trim(*text)) : std::nullopt;
  return ours && *ours < kHighest ? std::optional(std::min(*ours + kStep, kHighest)) : std::nullopt;
}

std::vector<std::string> joined(const Environment& environment) {
  std::vector<std::string> result;
  result.reserve(environment.size());
  for (const auto& [name, value] : environment) {
    std::string& entry = result.emplace_back(name);
    entry += '=';
    entry += value;
  }
  return result;
}

std::vector<sys::DescriptorMapping> mappings_of(WorkerOutput output, const WorkerPlace& place) {
  std::vector<sys::DescriptorMapping> descriptors;
  if (output.out >= 0) {
    descriptors.push_back({.from = output.out, .to = 1});
  }
  if (output.err >= 0) {
    descriptors.push_back({.from = output.err, .to = 2});
  }
  if (place.in >= 0) {
    descriptors.push_back({.from = place.in, .to = 0});
  }
  return descriptors;
}

void give_outputs_to(const std::optional<UserIds>& user, WorkerOutput output) {
  for (const int fd : {output.out, output.err}) {
    give_output_to(user ? &*user : nullptr, fd);
  }
}

}  // namespace

Environment environment_for(const ProgramConfig& config, const Environment& own) {
  Environment environment;
  for (const auto& [name, value] : own) {
    if (!is_channel_variable(name)) {
      environment.emplace_back(name, value);
    }
  }
  for (const auto& [name, value] : config.environment) {
    set_variable(environment, name, value);
  }
  return environment;
}

Result<BegunStart> start_hook(const std::vector<std::string>& command,
                              const ProgramConfig& top_level, const Environment& own,
                              WorkerOutput output, const WorkerPlace& place) {
  std::optional<UserIds> user;
  if (top_level.user) {
    NI_TRY(user, resolve_user(*top_level.user, ConfigFiles()));
  }
  give_outputs_to(user, output);
  const sys::StringArray argv(command);
  const sys::StringArray variables(joined(environment_for(top_level, own)));
  return sys::begin_spawn(
      {.argv = argv.get(),
       .environment = variables.get(),
       .directory = top_level.directory ? top_level.directory->c_str() : nullptr,
       .descriptors = mappings_of(output, place),
       .user = user ? &*user : nullptr,
       .descriptor_limit = place.descriptor_limit});
}

Result<Launcher> Launcher::prepare(const ProgramConfig& config, const Launch& launch,
                                   const Plan& plan, const Environment& environment) {
  Launcher launcher;
  launcher.argv_ = config.command;
  launcher.slot_variables_ = config.slot_variables;
  launcher.directory_ = config.directory;
  if (config.directory) {
    launcher.resolved_ = sys::real_path(*config.directory);
  }
  launcher.oom_score_adj_ = score_above_ours();
  if (config.user) {
    NI_TRY(launcher.user_, resolve_user(*config.user, ConfigFiles()));
  }
  launcher.environment_ = environment_for(config, environment);
  // The chain of an adopted program has other processes of node, too: the heap is for its workers.
  if (!launch.adopts) {
    apply_heap(plan, launcher.argv_, launcher.environment_);
  }
  if (launch.node) {
    launcher.take_node(config.module_inside, config.command.size());
  }
  return launcher;
}

// argv_ is a Node command, with our own options in front; `words_of_command` are not ours.
void Launcher::take_node(bool module_inside, std::size_t words_of_command) {
  is_node_ = true;
  const auto find = [this](std::string_view name) {
    return find_variable(environment_, name).value_or("");
  };
  const std::string options(find("NODE_OPTIONS"));
  const NodeFeatures features = inspect_node(argv_.front(), find("PATH"));
  is_known_node_ = features.is_node;
  if (module_inside && features.is_node && allows_module(argv_, options)) {
    // Behind nodeinit's own options, before the program's: agents come after it.
    module_at_ = 2 + argv_.size() - words_of_command;
    const auto at = argv_.begin() + static_cast<std::ptrdiff_t>(module_at_ - 1);
    argv_.insert(at, {"--require", ""});
    counts_connections_ = features.since_18_18;
  }
  inspector_ = find_inspector(argv_, options);
}

Launcher Launcher::as_adopted(const ProgramConfig& config, const AdoptedProcess& process,
                              const Plan& plan) {
  Launcher launcher;
  launcher.argv_ = process.argv;
  launcher.slot_variables_ = config.slot_variables;
  launcher.directory_ = process.directory;
  launcher.resolved_ = sys::real_path(process.directory);
  launcher.oom_score_adj_ = score_above_ours();
  launcher.user_ = process.user;
  launcher.environment_ = environment_for({}, process.environment);
  apply_heap(plan, launcher.argv_, launcher.environment_);
  launcher.take_node(config.module_inside, process.argv.size());
  return launcher;
}

std::vector<std::string> Launcher::command_of(const action::Spawn& spawn,
                                              const std::string& module) const {
  std::vector<std::string> command =
      inspector_ ? with_inspector_port(argv_, *inspector_, spawn.inspector) : argv_;
  if (module_at_ == 0) {
    return command;
  }
  const auto path = std::ranges::find(command, std::string());
  if (module.empty()) {
    command.erase(path - 1, path + 1);
  } else {
    *path = module;
  }
  return command;
}

BegunStart Launcher::start_chain(const action::Spawn& spawn, std::string_view adopted_by,
                                 WorkerOutput output, const WorkerPlace& place) const {
  Environment environment = environment_;
  if (!place.module.empty()) {
    const std::string before(find_variable(environment, "NODE_OPTIONS").value_or(""));
    set_variable(environment, "NODE_OPTIONS",
                 before + (before.empty() ? "" : " ") + "--require=" + place.module);
    set_variable(environment, std::string(kAdoptVariable), std::string(adopted_by));
  }
  give_outputs_to(user_, output);
  return start(argv_, std::move(environment), spawn, mappings_of(output, place), place);
}

BegunStart Launcher::start(const action::Spawn& spawn, int channel, WorkerOutput output,
                           const WorkerPlace& place) const {
  Environment environment = environment_;
  const int channel_fd = channel_number(environment_);
  set_variable(environment, "NODE_CHANNEL_FD", std::to_string(channel_fd));
  set_variable(environment, "NODE_CHANNEL_SERIALIZATION_MODE", "json");
  set_variable(environment, "NODE_UNIQUE_ID", std::to_string(spawn.worker.value));
  give_outputs_to(user_, output);
  std::vector<sys::DescriptorMapping> descriptors = mappings_of(output, place);
  descriptors.push_back({.from = channel, .to = channel_fd});
  return start(command_of(spawn, place.module), std::move(environment), spawn,
               std::move(descriptors), place);
}

BegunStart Launcher::start(const std::vector<std::string>& command, Environment environment,
                           const action::Spawn& spawn,
                           std::vector<sys::DescriptorMapping> descriptors,
                           const WorkerPlace& place) const {
  set_variable(environment, "NODE_APP_INSTANCE", std::to_string(spawn.instance));
  set_variable(environment, "NODEINIT_SLOT", std::to_string(spawn.instance));
  for (const std::string& name : slot_variables_) {
    set_variable(environment, name, std::to_string(spawn.instance));
  }
  set_variable(environment, "NODEINIT_SLOTS", std::to_string(spawn.slots));
  // A worker that is restarted belongs to the release of the others, wherever a link leads by now; if
  // that release was removed, to what is there.
  const bool still_there = resolved_ && ConfigFiles().is_directory(*resolved_);
  const std::optional<std::string>& directory = still_there ? resolved_ : directory_;
  const sys::StringArray argv(command);
  const sys::StringArray variables(joined(environment));
  return sys::begin_spawn({.argv = argv.get(),
                           .environment = variables.get(),
                           .directory = directory ? directory->c_str() : nullptr,
                           .descriptors = descriptors,
                           .user = user_ ? &*user_ : nullptr,
                           .foreground_of = place.foreground_of,
                           .oom_score_adj = oom_score_adj_,
                           .takes_listen_pid = true,
                           .descriptor_limit = place.descriptor_limit});
}

}  // namespace ni::app
