#pragma once

// What `nodeinit ctl` and PID 1 say to each other: JSON, one object per line, each with the version
// of the protocol. A client sends requests, one after the other; each is answered by any number of
// lines with "more": true (progress, events) and one without.
//
//   → {"nodeinit":1,"verb":"scale","amount":1,"relative":true}
//   ← {"nodeinit":1,"ok":true,"message":"web: 3 workers wanted"}

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signal.h"
#include "wire/json.h"

namespace ni::wire {

inline constexpr int kControlVersion = 1;
inline constexpr std::size_t kLongestRequest = 4096;  // bytes, without the newline
inline constexpr std::size_t kLongestReply = std::size_t{1} << 20U;

enum class ControlVerb : std::uint8_t {
  status,
  health,
  reload,
  scale,
  restart,
  stop,
  signal,
  events
};
std::string_view to_string(ControlVerb verb);

struct ControlRequest {
  ControlVerb verb = ControlVerb::status;
  std::string program;           // empty: the only one, or all
  std::optional<unsigned> slot;  // restart: needed; signal: nullopt is every worker
  std::optional<Signal> signal;  // signal: needed
  int amount = 0;                // scale
  bool relative = false;         // scale: amount is a difference
  bool live = false;             // health: of the container, not of the service
  bool quick = false;            // stop
};

// Errors (code 0): not a request of this version, with the reason in words for the client's user.
Result<ControlRequest> parse_control_request(std::string_view line);
std::string to_line(const ControlRequest& request);  // with its newline

struct ControlReply {
  bool more = false;  // others follow
  bool ok = true;
  std::string message;  // for people
  Json data;            // of status and events; absent otherwise
};

Result<ControlReply> parse_control_reply(std::string_view line);
std::string to_line(const ControlReply& reply);  // with its newline

}  // namespace ni::wire
