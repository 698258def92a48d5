#pragma once

// `nodeinit ctl VERB`: the client of the control socket, in a process of its own beside PID 1. It
// needs no shell, no file and no rights but the user's own. Exit codes: 0 done; 1 refused, failed,
// not healthy, or no nodeinit there (Docker's HEALTHCHECK knows only 0 and 1); 64 wrong usage.

#include <optional>
#include <span>
#include <string>

#include "base/environment.h"
#include "base/result.h"
#include "base/types.h"
#include "wire/control_protocol.h"

namespace ni::app {

// What the words after `ctl` ask for.
struct CtlCommand {
  enum class Show : std::uint8_t { answer, status, top, events, help, import_pm2, inspection };
  Show show = Show::answer;
  wire::ControlRequest request;
  bool json = false;
  std::string control;           // --control; empty: as configured
  std::string file;              // import-pm2
  std::string environment_name;  // import-pm2 --env
  std::string verb;
  std::optional<Duration> time;  // cpu-profile
};
// Error (code 0): wrong usage, `reason` says what.
Result<CtlCommand> parse_ctl(std::span<const std::string> words);

// `configured`: the setting `control`, empty when it is off.
int run_ctl(std::span<const std::string> words, const std::string& configured);

}  // namespace ni::app
