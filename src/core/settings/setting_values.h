#pragma once

// How each type of setting is written: read_value() takes the text a person wrote (false: not
// allowed, `value` is then unspecified), show_value() gives the text that reads back as the same
// value.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/settings/config.h"

namespace ni {

// sockaddr_un has 108 bytes for a path and its final zero, unix(7).
inline constexpr std::size_t kLongestSocketPath = 107;

bool read_value(std::string_view text, Mode& value);
bool read_value(std::string_view text, Balance& value);
bool read_value(std::string_view text, Readiness& value);
bool read_value(std::string_view text, StopStyle& value);
bool read_value(std::string_view text, RestartMode& value);
bool read_value(std::string_view text, FollowResize& value);
bool read_value(std::string_view text, LogMode& value);
bool read_value(std::string_view text, LogJson& value);
bool read_value(std::string_view text, LogFull& value);
bool read_value(std::string_view text, Orphans& value);
bool read_value(std::string_view text, LogLevel& value);
bool read_value(std::string_view text, LogFormat& value);
bool read_value(std::string_view text, HttpDetail& value);
bool read_value(std::string_view text, bool& value);  // on/off, true/false, yes/no, 1/0, auto
bool read_value(std::string_view text, Duration& value);
bool read_value(std::string_view text, Signal& value);
bool read_value(std::string_view text, WorkerCount& value);
bool read_value(std::string_view text, ReadyShare& value);
bool read_value(std::string_view text, MemoryAmount& value);
bool read_value(std::string_view text, RequestLimit& value);
bool read_value(std::string_view text, LoopDelayLimit& value);
bool read_value(std::string_view text, Backoff& value);
bool read_value(std::string_view text, RestartIntensity& value);
bool read_value(std::string_view text, std::vector<SignalRule>& value);
bool read_value(std::string_view text, std::vector<int>& value);          // exit codes
bool read_value(std::string_view text, std::vector<std::string>& value);  // a command
bool read_value(std::string_view text, std::string& value);  // not empty, no control bytes

bool read_count(std::string_view text, unsigned least, unsigned& value);
bool read_percent(std::string_view text, unsigned& value);  // "50%", 1…100
bool read_path(std::string_view text, std::string& value);  // absolute
bool read_listen_address(std::string_view text, std::string& value);
bool read_control_address(std::string_view text, std::string& value);
bool read_user(std::string_view text, std::string& value);

std::string show_value(Mode value);
std::string show_value(Balance value);
std::string show_value(Readiness value);
std::string show_value(StopStyle value);
std::string show_value(RestartMode value);
std::string show_value(FollowResize value);
std::string show_value(LogMode value);
std::string show_value(LogJson value);
std::string show_value(LogFull value);
std::string show_value(Orphans value);
std::string show_value(LogLevel value);
std::string show_value(LogFormat value);
std::string show_value(HttpDetail value);
std::string show_value(Duration value);
std::string show_value(Signal value);
std::string show_value(unsigned value);
std::string show_value(const WorkerCount& value);
std::string show_value(const ReadyShare& value);
std::string show_value(const MemoryAmount& value);
std::string show_value(const RequestLimit& value);
std::string show_value(const LoopDelayLimit& value);
std::string show_value(const Backoff& value);
std::string show_value(const RestartIntensity& value);
std::string show_value(const std::vector<SignalRule>& value);
std::string show_value(const std::vector<int>& value);
std::string show_value(const std::vector<std::string>& value);
std::string show_value(const std::string& value);

}  // namespace ni
