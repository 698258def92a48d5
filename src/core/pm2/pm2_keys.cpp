#include "core/pm2/pm2_keys.h"

#include <array>

namespace ni {
namespace {

using Dropped = Pm2Dropped;

constexpr std::string_view kLogs =
    "workers write to stdout and stderr, where the platform collects";
constexpr std::string_view kTimes = "the platform stamps each line; log = \"json\" adds the time";
constexpr std::string_view kWatch = "an image does not change; a new one is rolled out";
constexpr std::string_view kHost = "belongs to a host that is deployed to, not to a container";
constexpr std::string_view kAgent = "no code is injected into workers; see the setting http";
constexpr std::array kDropped = {
    Dropped{"out_file", kLogs},
    Dropped{"error_file", kLogs},
    Dropped{"err_file", kLogs},
    Dropped{"output", kLogs},
    Dropped{"error", kLogs},
    Dropped{"log", kLogs},
    Dropped{"log_file", kLogs},
    Dropped{"out", kLogs},
    Dropped{"pid_file", "no file is written"},
    Dropped{"pid", "no file is written"},
    Dropped{"merge_logs", kLogs},
    Dropped{"combine_logs", kLogs},
    Dropped{"disable_logs", kLogs},
    Dropped{"log_date_format", kTimes},
    Dropped{"time", kTimes},
    Dropped{"watch", kWatch},
    Dropped{"ignore_watch", kWatch},
    Dropped{"watch_delay", kWatch},
    Dropped{"watch_options", kWatch},
    Dropped{"cron_restart", "max_age replaces workers one by one; a clock belongs to a CronJob"},
    Dropped{"cron", "max_age replaces workers one by one; a clock belongs to a CronJob"},
    Dropped{"min_uptime", "restart_limit counts deaths while no worker is ready"},
    Dropped{"shutdown_with_message", "workers are disconnected and get stop_signal"},
    Dropped{"kill_retry_time", "SIGKILL is sent once the grace is over"},
    Dropped{"treekill", "the last signal goes to a worker's whole process group"},
    Dropped{"increment_var", "add NODEINIT_SLOT to it in the program"},
    Dropped{"source_map_support", "set NODE_OPTIONS=--enable-source-maps if wanted"},
    Dropped{"disable_source_map_support", "nothing is injected"},
    Dropped{"namespace", "name the container"},
    Dropped{"version", "name the image"},
    Dropped{"append_env_to_name", "name the container"},
    Dropped{"name_prefix", "name the container"},
    Dropped{"filter_env", "set only what is wanted"},
    Dropped{"vizion", kHost},
    Dropped{"vizion_running", kHost},
    Dropped{"post_update", kHost},
    Dropped{"force", kHost},
    Dropped{"write", kHost},
    Dropped{"install_url", kHost},
    Dropped{"execute_command", kHost},
    Dropped{"username", kHost},
    Dropped{"windowsHide", kHost},
    Dropped{"pmx", kAgent},
    Dropped{"automation", kAgent},
    Dropped{"trace", kAgent},
    Dropped{"v8", kAgent},
    Dropped{"io", kAgent},
    Dropped{"deep_monitoring", kAgent},
    Dropped{"event_loop_inspector", kAgent},
    Dropped{"autostart", "what the container runs is started"},
};
constexpr std::array<std::string_view, 36> kMapped = {"name",
                                                      "script",
                                                      "exec",
                                                      "cmd",
                                                      "command",
                                                      "args",
                                                      "cwd",
                                                      "interpreter",
                                                      "exec_interpreter",
                                                      "node_args",
                                                      "interpreter_args",
                                                      "interpreterArgs",
                                                      "instances",
                                                      "exec_mode",
                                                      "env",
                                                      "autorestart",
                                                      "max_memory_restart",
                                                      "stop_exit_codes",
                                                      "kill_timeout",
                                                      "kill_signal",
                                                      "wait_ready",
                                                      "listen_timeout",
                                                      "restart_delay",
                                                      "exp_backoff_restart_delay",
                                                      "max_restarts",
                                                      "uid",
                                                      "gid",
                                                      "user",
                                                      "port",
                                                      "log_type",
                                                      "nodeArgs",
                                                      "instance",
                                                      "env_file",
                                                      "instance_var",
                                                      "max_restart",
                                                      "execMode"};

}  // namespace

std::span<const Pm2Dropped> pm2_dropped_keys() {
  return kDropped;
}

std::span<const std::string_view> pm2_mapped_keys() {
  return kMapped;
}

}  // namespace ni
