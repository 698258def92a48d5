#include "app/start.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "app/cluster/deployment.h"
#include "app/cluster/runtime.h"
#include "app/invocation/container_files.h"
#include "app/single/start_single.h"
#include "core/sizing/explain.h"
#include "sys/descriptor_limit.h"
#include "sys/memory.h"
#include "sys/reap.h"

namespace ni::app {
namespace {

int fail(Log& log, std::string_view event, const Error& error, int exit_code) {
  log.error(event, to_string(error));
  return exit_code;
}

// Enough to start and to restart: the standard three, libuv's six, signals, the control socket,
// files of limits; of each worker its channel, its log pipes and a socket that it listens on.
Result<void> enough_descriptors(const sys::DescriptorLimit& limit, const Deployment& deployment) {
  constexpr std::uint64_t kOwn = 24;
  std::uint64_t workers = 0;
  for (const DeployedProgram& program : deployment.programs) {
    workers += program.plan.workers;
  }
  const std::uint64_t needed = kOwn + 4 * workers;
  if (limit.hard >= needed) {
    return {};
  }
  return Error{.operation = "start",
               .subject = fmt::format("{} workers", workers),
               .code = 0,
               .reason = fmt::format(
                   "RLIMIT_NOFILE allows {} descriptors, a cluster needs {}; raise it (docker run "
                   "--ulimit nofile=1024) or set NODEINIT_MODE=single",
                   limit.hard, needed)};
}

int run_cluster(const Invocation& invocation, Resources resources, Deployment deployment,
                Log& log) {
  sys::adopt_orphans();
  const sys::DescriptorLimit limit = sys::raise_descriptor_limit();
  if (auto enough = enough_descriptors(limit, deployment); !enough) {
    return fail(log, "start_failed", enough.error(), 126);
  }
  sys::keep_memory_reserve();
  // libuv aborts when it gets none.
  uv_replace_allocator(sys::allocate, sys::reallocate, sys::allocate_zeroed, std::free);
  uv_loop_t loop;
  if (const int error = uv_loop_init(&loop); error != 0) {
    return fail(log, "start_failed",
                {.operation = "make", .subject = "the event loop", .code = -error, .reason = ""},
                126);
  }
  int exit_code = 126;
  {
    Runtime runtime(&loop, invocation, std::move(resources), std::move(deployment), log);
    const auto result = runtime.run(limit);
    exit_code = result ? *result : fail(log, "start_failed", result.error(), 126);
  }
  uv_run(&loop, UV_RUN_DEFAULT);  // libuv closes its handles here
  (void)uv_loop_close(&loop);     // we end: nothing is left to be done about an error
  return exit_code;
}

}  // namespace

int start(const Invocation& invocation, const char* const* argv, const char* const* environment) {
  if (is_plainly_single(invocation)) {
    return start_single(invocation, argv, environment);  // an init needs no plan
  }
  Log log(invocation.config.log_level, invocation.config.log_format);
  Resources resources = resources_below("");
  auto deployment = deploy(invocation, resources);
  if (!deployment) {
    return fail(log, "wrong_configuration", deployment.error(), kExitConfiguration);
  }
  for (const Remark& remark : deployment->remarks) {
    remark.level == LogLevel::warn ? log.warn("command", remark.text)
                                   : log.info("command", remark.text);
  }
  if (deployment->mode == Mode::single) {
    return start_single(invocation, argv, environment);
  }
  if (auto had = users_can_be_had(*deployment); !had) {
    return fail(log, "wrong_user", had.error(), kExitConfiguration);
  }
  return run_cluster(invocation, std::move(resources), std::move(*deployment), log);
}

int explain(const Invocation& invocation) {
  const Resources resources = resources_below(invocation.root);
  auto deployment = deploy(invocation, resources);
  if (!deployment) {
    (void)std::fprintf(stderr, "nodeinit: %s\n", to_string(deployment.error()).c_str());
    return kExitConfiguration;
  }
  const Config config = deployment->whole_config();
  const std::vector<Plan> plans = deployment->plans();
  const std::string reason =
      deployment->mode == Mode::single ? deployment->programs.front().reason : "";
  const bool adopts = deployment->programs.front().adopts;
  std::string text;
  if (invocation.json) {
    wire::Json json = explain_json(resources, config, plans);
    if (adopts) {
      json.set("adopts", deployment->programs.front().reason);
    }
    if (!reason.empty()) {
      json.set("workers", 1).set("heap_mb", nullptr).set("one_process_because", reason);
    }
    text = json.indented_text() + "\n";
  } else {
    if (!reason.empty()) {
      text = fmt::format("one process, run as it is: {}\nA cluster would have:\n", reason);
    }
    if (adopts) {
      text = fmt::format(
          "run as it is until a Node process below it listens; that one becomes the program and "
          "has siblings: {}\nFrom then on:\n",
          deployment->programs.front().reason);
    }
    text += explain_text(resources, config, plans);
  }
  (void)std::fwrite(text.data(), 1, text.size(), stdout);  // nobody is left to hear of a failure
  return 0;
}

}  // namespace ni::app
