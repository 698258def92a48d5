#include "app/start_cluster.h"

#include "app/container_files.h"
#include "app/runtime.h"
#include "app/sizing.h"
#include "core/heap.h"
#include "sys/reap.h"

namespace ni::app {
namespace {

int fail(Log& log, std::string_view event, const Error& error, int exit_code) {
  log.error(event, to_string(error));
  return exit_code;
}

}  // namespace

bool wants_cluster(const Config& config) {
  if (config.mode != Mode::automatic) {
    return config.mode == Mode::cluster;
  }
  const auto& command = config.programs.front().command;
  return config.programs.size() > 1 ||
         (is_node(command.front()) && command.size() > 1 && !command[1].starts_with("-"));
}

int start_cluster(const Invocation& invocation) {
  Log log(invocation.config.log_level, invocation.config.log_format);
  sys::adopt_orphans();
  Resources resources = resources_below("");
  std::vector<Plan> plans = plan_programs(resources, invocation.config, invocation.environment);
  std::vector<Launcher> launchers;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    auto launcher = Launcher::prepare(invocation.config.programs[i], plans[i], invocation.environment);
    if (!launcher) {
      return fail(log, "wrong_configuration", launcher.error(), kExitConfiguration);
    }
    launchers.push_back(std::move(*launcher));
  }
  uv_loop_t loop;
  if (const int error = uv_loop_init(&loop); error != 0) {
    return fail(log, "start_failed", {.operation = "make", .subject = "the event loop", .code = -error, .reason = ""},
                126);
  }
  int exit_code = 126;
  {
    Runtime runtime(&loop, {.invocation = invocation, .resources = std::move(resources), .plans = std::move(plans), .launchers = std::move(launchers)}, log);
    auto result = runtime.run();
    exit_code = result ? *result : fail(log, "start_failed", result.error(), 126);
  }
  uv_run(&loop, UV_RUN_DEFAULT);  // libuv closes its handles here
  (void)uv_loop_close(&loop);     // we end: nothing is left to be done about an error
  return exit_code;
}

}  // namespace ni::app
