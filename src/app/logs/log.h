#pragma once

// nodeinit's own messages: one line each, to stderr, as text for a person or JSON for a collector.
// An event name and its fields are a promise to the users' dashboards (docker/docs/logs.md): never
// rename one.
//
//   log.info("worker_ready", "slot 0: worker 12 is ready", {{"slot", 0}, {"pid", 12}});
//
//   text   nodeinit: slot 0: worker 12 is ready
//   json   {"time":"…","level":"info","logger":"nodeinit","event":"worker_ready","message":"…",
//           "slot":0,"pid":12}
//
// A message never blocks and never fails: what stderr does not take at once is dropped and counted,
// and the next message that gets through says how many were lost. While a LogPump runs, messages go
// through it (send_to), so that they never stand in the middle of a worker's line and wait for a
// slow reader within the pump's bound.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "core/settings/config.h"
#include "sys/output.h"

namespace ni::app {

// A value of a field; lives for the call only.
class LogValue {
 public:
  LogValue(bool value) : value_(value) {}
  template <std::signed_integral T>
  LogValue(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T value) : value_(static_cast<std::uint64_t>(value)) {}
  LogValue(double value) : value_(value) {}
  LogValue(const char* value) : value_(std::string_view(value)) {}
  LogValue(std::string_view value) : value_(value) {}
  LogValue(const std::string& value) : value_(std::string_view(value)) {}

  void append_json(std::string& out) const;

 private:
  std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view> value_;
};

struct LogField {
  std::string_view name;
  LogValue value;
};

class Log {
 public:
  using Fields = std::initializer_list<LogField>;
  // Takes one whole line, its '\n' included; false: it could not, and the line is lost.
  using Sink = std::function<bool(std::string_view line)>;

  // Writes to descriptor 2, as it is at this moment.
  explicit Log(LogLevel level = LogLevel::info, LogFormat format = LogFormat::text);

  void error(std::string_view event, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::error, event, message, fields);
  }
  void warn(std::string_view event, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::warn, event, message, fields);
  }
  void info(std::string_view event, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::info, event, message, fields);
  }
  void debug(std::string_view event, std::string_view message, Fields fields = {}) noexcept {
    write(LogLevel::debug, event, message, fields);
  }

  bool shows(LogLevel level) const { return level <= level_; }
  void set(LogLevel level, LogFormat format);

  // From now on lines go there; an empty Sink: to descriptor 2 again.
  void send_to(Sink sink) { sink_ = std::move(sink); }

  // Messages lost since the start.
  std::uint64_t lost() const { return lost_; }

 private:
  void write(LogLevel level, std::string_view event, std::string_view message,
             Fields fields) noexcept;
  void render(LogLevel level, std::string_view event, std::string_view message, Fields fields);
  bool send(std::string_view line);

  LogLevel level_;
  LogFormat format_;
  sys::Output output_;
  Sink sink_;
  std::string line_;    // reused: a message allocates nothing once this is large enough
  std::string unsent_;  // the rest of a line of which the kernel took a part
  std::uint64_t lost_ = 0;
  std::uint64_t lost_untold_ = 0;
};

}  // namespace ni::app
