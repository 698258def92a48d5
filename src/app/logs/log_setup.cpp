#include "app/logs/log_setup.h"

#include <unistd.h>

#include <cerrno>

#include "app/logs/termination_log.h"
#include "base/result.h"

namespace ni::app {
namespace {

LogMode effective_mode(const Config& config, const std::vector<Plan>& plans) {
  if (config.log != LogMode::automatic) {
    return config.log;
  }
  unsigned workers = 0;
  for (const Plan& plan : plans) {
    workers += plan.workers;
  }
  return workers <= 1 || isatty(STDOUT_FILENO) == 1 ? LogMode::inherit : LogMode::lines;
}

loop::LogReads effective_reads(const Config& config, LogMode mode) {
  if (mode != LogMode::inherit) {
    return loop::LogReads::everything;
  }
  // Whoever has asked for `inherit` gets nothing else; a terminal is somebody who reads.
  if (config.log == LogMode::inherit || isatty(STDOUT_FILENO) == 1 || isatty(STDERR_FILENO) == 1) {
    return loop::LogReads::nothing;
  }
  return termination_log_is_wanted(config.termination_log)
             ? loop::LogReads::only_stderr
             : loop::LogReads::only_stderr_after_failure;
}

wire::LogShape shape_of(LogMode mode) {
  switch (mode) {
    case LogMode::automatic:  // has become another one
    case LogMode::inherit:
      return wire::LogShape::as_is;
    case LogMode::lines:
      return wire::LogShape::lines;
    case LogMode::prefix:
      return wire::LogShape::prefix;
    case LogMode::json:
      return wire::LogShape::json;
  }
  return wire::LogShape::as_is;
}

}  // namespace

loop::LogSettings log_settings(const Config& config, const std::vector<Plan>& plans) {
  const LogMode mode = effective_mode(config, plans);
  loop::LogSettings settings;
  settings.reads = effective_reads(config, mode);
  settings.rendering = {
      .shape = shape_of(mode),
      .wrap_json = config.log_json == LogJson::wrap,
      .show_program = plans.size() > 1,
      .colour = true,
  };
  settings.when_full =
      config.log_full == LogFull::drop ? loop::WhenFull::drop : loop::WhenFull::wait;
  return settings;
}

bool single_mode_reads_stderr(const Config& config) {
  return config.log == LogMode::automatic && isatty(STDIN_FILENO) != 1 &&
         effective_reads(config, LogMode::inherit) == loop::LogReads::only_stderr;
}

void tell_trouble(Log& log, wire::LogStream stream, int error) {
  const std::string name = stream == wire::LogStream::out ? "stdout" : "stderr";
  if (error == 0) {
    log.info("output_works_again", name + " takes the workers' output again", {{"stream", name}});
    return;
  }
  const Error why{.operation = "write to", .subject = name, .code = error, .reason = {}};
  log.warn("output_failed", to_string(why) + "; what workers write there is lost until it works",
           {{"stream", name}, {"errno", error}});
}

}  // namespace ni::app
