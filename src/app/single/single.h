#pragma once

// Single mode: an init and nothing else. One worker, its terminal, its signals, its exit code;
// every orphan reaped. No event loop: at rest one sigwaitinfo(2) without a timeout, no descriptor
// but 0–2, the working directory /. Where its last words are wanted (SingleRequest::reads_stderr)
// its stderr passes through us, and at rest there is one poll(2) instead
// (app/single/stderr_relay.h).
//
//   (pre_start) → spawn → attend (pass signals on, reap) → the worker is gone → TERM to all who are
//   left → they leave, or the grace is over and they are killed → (post_stop) → the worker's exit
//   code

#include <span>
#include <string>

#include "base/types.h"
#include "base/user_ids.h"
#include "core/deaths/termination_text.h"
#include "core/settings/config.h"

namespace ni::app {

// A parameter: what it points to is borrowed for the call.
struct SingleRequest {
  const char* const* argv;
  // Run before it and after it, in the same surroundings but not in the terminal's foreground;
  // nullptr: nothing. When pre_start fails, that is the end.
  const char* const* pre_start = nullptr;
  const char* const* post_stop = nullptr;
  const char* const* environment;
  const char* directory = nullptr;
  const UserIds* user = nullptr;
  std::span<const SignalRule> signals = {};
  Duration grace =
      8s;  // from the signal to stop, or else from the worker's end, to the last SIGKILL
  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  bool reads_stderr = false;  // of the worker and the hooks
};

struct SingleEnd {
  // Of this program: the worker's (128 + signal), 127 or 126 when it could not be started.
  int exit_code = 0;
  std::string reason;  // of one that is not 0, in words
  TerminationNotes notes;
};

// A start that fails is told on stderr, too. Signals are blocked already (sys/signals.h).
SingleEnd run_single(const SingleRequest& request);

}  // namespace ni::app
