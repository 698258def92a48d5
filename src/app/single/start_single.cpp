#include "app/single/start_single.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/invocation/config_files.h"
#include "app/invocation/container_files.h"
#include "app/logs/log.h"
#include "app/logs/log_setup.h"
#include "app/logs/termination_log.h"
#include "app/single/single.h"
#include "core/command/user.h"
#include "core/container/usage.h"
#include "core/deaths/oom.h"
#include "sys/credentials.h"
#include "sys/process.h"

namespace ni::app {
namespace {

std::size_t count_of(const char* const* strings) {
  std::size_t count = 0;
  while (strings[count] != nullptr) {
    ++count;
  }
  return count;
}

// The command as the end of our own argv, when it is that.
const char* const* find_in(const char* const* argv, const std::vector<std::string>& command) {
  const std::size_t count = count_of(argv);
  if (command.size() > count) {
    return nullptr;
  }
  const char* const* tail = argv + (count - command.size());
  return std::equal(command.begin(), command.end(), tail) ? tail : nullptr;
}

// `environment` with `added`: what has the same name gives way.
std::vector<std::string> merged(const char* const* environment, const Environment& added) {
  std::vector<std::string> result;
  for (const char* const* entry = environment; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!find_variable(added, text.substr(0, text.find('=')))) {
      result.emplace_back(text);
    }
  }
  for (const auto& [name, value] : added) {
    std::string entry = name;
    entry += '=';
    entry += value;
    result.push_back(std::move(entry));
  }
  return result;
}

// Whether it may have been the kernel. Looked up only now: who does not end by SIGKILL pays nothing.
// There is no figure from the start to compare with, so that the count is told as what it is.
void note_memory(SingleEnd& end) {
  if (end.exit_code != 128 + signals::kill.number()) {
    return;
  }
  const std::string path = oom_counter_path(resources_below(""));
  const auto text = ContainerFiles().read(path);
  const auto kills = text ? parse_oom_kills(*text) : std::nullopt;
  if (kills && *kills > 0) {
    end.notes.trouble(
        fmt::format("out of memory: the kernel has killed {} of this container's "
                    "processes ({}, oom_kill)",
                    *kills, path));
  }
}

}  // namespace

int start_single(const Invocation& invocation, const char* const* argv,
                 const char* const* environment) {
  const Config& config = invocation.config;
  const ProgramConfig& program = config.programs.front();
  std::optional<UserIds> user;
  if (program.user) {
    auto ids = resolve_user(*program.user, ConfigFiles());
    const auto can = ids ? sys::can_become(*ids) : Result<void>(ids.error());
    if (!can) {
      Log(config.log_level, config.log_format).error("wrong_user", to_string(can.error()));
      return kExitConfiguration;
    }
    user = std::move(*ids);
  }
  std::optional<sys::StringArray> own_command;
  const char* const* command = find_in(argv, program.command);
  if (command == nullptr) {
    command = own_command.emplace(program.command).get();
  }
  std::optional<sys::StringArray> own_environment;
  if (!program.environment.empty()) {
    environment = own_environment.emplace(merged(environment, program.environment)).get();
  }
  const sys::StringArray pre_start(config.pre_start);
  const sys::StringArray post_stop(config.post_stop);
  SingleEnd end = run_single({.argv = command,
                              .pre_start = config.pre_start.empty() ? nullptr : pre_start.get(),
                              .post_stop = config.post_stop.empty() ? nullptr : post_stop.get(),
                              .environment = environment,
                              .directory = program.directory ? program.directory->c_str() : nullptr,
                              .user = user ? &*user : nullptr,
                              .signals = config.signals,
                              .grace = config.grace,
                              .log_level = config.log_level,
                              .log_format = config.log_format,
                              .reads_stderr = single_mode_reads_stderr(config)});
  if (end.exit_code != 0 && termination_log_is_wanted(config.termination_log)) {
    note_memory(end);
    if (config.log == LogMode::inherit && !end.notes.has_last_words()) {
      end.notes.trouble("last words unknown, stderr passed as it is; NODEINIT_LOG=auto keeps them");
    }
    const auto noted =
        write_termination_log(config.termination_log, end.notes.text(end.exit_code, end.reason));
    if (!noted) {
      Log(config.log_level, config.log_format).warn("termination_log", to_string(noted.error()));
    }
  }
  return end.exit_code;
}

}  // namespace ni::app
