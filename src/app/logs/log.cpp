#include "app/logs/log.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <iterator>

#include "base/overloaded.h"
#include "wire/json_text.h"

namespace ni::app {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warn:
      return "warn";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "info";
}

// What a person reads before the message; nothing for the usual.
std::string_view level_label(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error: ";
    case LogLevel::warn:
      return "warning: ";
    case LogLevel::info:
      return "";
    case LogLevel::debug:
      return "debug: ";
  }
  return "";
}

std::int64_t wall_clock_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);  // cannot fail: the clock exists, the pointer is good
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// A message may quote what a program or a user wrote: its control bytes must not reach a terminal.
// A line break inside begins a new line of ours.
void append_text(std::string& out, std::string_view label, std::string_view message) {
  out += "nodeinit: ";
  out += label;
  for (const char byte : message) {
    const auto value = static_cast<unsigned char>(byte);
    if (byte == '\n') {
      out += "\nnodeinit:   ";
    } else if ((value < 0x20 && byte != '\t') || value == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", value);
    } else {
      out += byte;
    }
  }
  out += '\n';
}

}  // namespace

void LogValue::append_json(std::string& out) const {
  std::visit(Overloaded{[&](bool value) { out += value ? "true" : "false"; },
                        [&](double value) {
                          if (std::isfinite(value)) {
                            fmt::format_to(std::back_inserter(out), "{}", value);
                          } else {
                            out += "null";  // JSON has no word for infinity
                          }
                        },
                        [&](std::string_view value) { (void)wire::append_json_string(out, value); },
                        [&](auto value) { fmt::format_to(std::back_inserter(out), "{}", value); }},
             value_);
}

Log::Log(LogLevel level, LogFormat format)
    : level_(level), format_(format), output_(sys::Output::inherited(2)) {}

void Log::set(LogLevel level, LogFormat format) {
  level_ = level;
  format_ = format;
}

void Log::render(LogLevel level, std::string_view event, std::string_view message, Fields fields) {
  line_.clear();
  if (format_ == LogFormat::text) {
    append_text(line_, level_label(level), message);
    return;
  }
  fmt::format_to(std::back_inserter(line_),
                 R"({{"time":"{}","level":"{}","logger":"nodeinit","event":)",
                 wire::utc_timestamp(wall_clock_ns()), level_name(level));
  (void)wire::append_json_string(line_, event);
  line_ += ",\"message\":";
  (void)wire::append_json_string(line_, message);
  for (const LogField& field : fields) {
    line_ += ',';
    (void)wire::append_json_string(line_, field.name);
    line_ += ':';
    field.value.append_json(line_);
  }
  line_ += "}\n";
}

bool Log::send(std::string_view line) {
  if (sink_) return sink_(line);
  // A line of which a part is out is finished first, or two lines would become one.
  if (!unsent_.empty()) {
    unsent_.erase(0, output_.write(unsent_).bytes);
    if (!unsent_.empty()) return false;
  }
  const std::size_t taken = output_.write(line).bytes;
  if (taken == 0) return false;
  unsent_ = line.substr(taken);
  return true;
}

void Log::write(LogLevel level, std::string_view event, std::string_view message,
                Fields fields) noexcept {
  if (!shows(level)) return;
  try {
    if (lost_untold_ > 0) {
      const std::uint64_t untold = lost_untold_;
      render(LogLevel::warn, "messages_lost",
             fmt::format("{} messages of nodeinit were lost, stderr did not take them", untold),
             {{"count", untold}});
      if (send(line_)) lost_untold_ = 0;
    }
    render(level, event, message, fields);
    if (send(line_)) return;
  } catch (...) {
    // Out of memory costs this line, never PID 1.
  }
  ++lost_;
  ++lost_untold_;
}

}  // namespace ni::app
