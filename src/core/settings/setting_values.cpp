#include "core/settings/setting_values.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/settings/command_text.h"

namespace ni {
namespace {

template <class E>
struct Name {
  E value;
  std::string_view text;
};

constexpr std::array kModes = {Name<Mode>{Mode::automatic, "auto"},
                               Name<Mode>{Mode::cluster, "cluster"},
                               Name<Mode>{Mode::single, "single"}};
constexpr std::array kBalances = {Name<Balance>{Balance::kernel, "kernel"},
                                  Name<Balance>{Balance::shared, "shared"},
                                  Name<Balance>{Balance::round_robin, "round-robin"},
                                  Name<Balance>{Balance::client_ip, "client-ip"}};
constexpr std::array kReadiness = {Name<Readiness>{Readiness::listen, "listen"},
                                   Name<Readiness>{Readiness::message, "message"},
                                   Name<Readiness>{Readiness::online, "online"}};
constexpr std::array kStopStyles = {Name<StopStyle>{StopStyle::automatic, "auto"},
                                    Name<StopStyle>{StopStyle::drain, "drain"},
                                    Name<StopStyle>{StopStyle::signal, "signal"}};
constexpr std::array kRestartModes = {Name<RestartMode>{RestartMode::automatic, "auto"},
                                      Name<RestartMode>{RestartMode::always, "always"},
                                      Name<RestartMode>{RestartMode::on_failure, "on-failure"},
                                      Name<RestartMode>{RestartMode::never, "never"}};
constexpr std::array kFollowResizes = {Name<FollowResize>{FollowResize::off, "off"},
                                       Name<FollowResize>{FollowResize::on, "on"},
                                       Name<FollowResize>{FollowResize::reload, "reload"}};
constexpr std::array kLogModes = {
    Name<LogMode>{LogMode::automatic, "auto"}, Name<LogMode>{LogMode::inherit, "inherit"},
    Name<LogMode>{LogMode::lines, "lines"}, Name<LogMode>{LogMode::prefix, "prefix"},
    Name<LogMode>{LogMode::json, "json"}};
constexpr std::array kLogJsons = {Name<LogJson>{LogJson::merge, "merge"},
                                  Name<LogJson>{LogJson::wrap, "wrap"}};
constexpr std::array kLogFulls = {Name<LogFull>{LogFull::wait, "wait"},
                                  Name<LogFull>{LogFull::drop, "drop"}};
constexpr std::array kOrphans = {Name<Orphans>{Orphans::end, "end"},
                                 Name<Orphans>{Orphans::keep, "keep"}};
constexpr std::array kLogLevels = {
    Name<LogLevel>{LogLevel::error, "error"}, Name<LogLevel>{LogLevel::warn, "warn"},
    Name<LogLevel>{LogLevel::info, "info"}, Name<LogLevel>{LogLevel::debug, "debug"}};
constexpr std::array kLogFormats = {Name<LogFormat>{LogFormat::text, "text"},
                                    Name<LogFormat>{LogFormat::json, "json"}};
constexpr std::array kHttpDetails = {Name<HttpDetail>{HttpDetail::plain, "plain"},
                                     Name<HttpDetail>{HttpDetail::full, "full"}};
using Does = SignalRule::Does;
// `send` has no name of its own: it is written as the signal that is sent.
constexpr std::array kRuleWords = {
    Name<Does>{Does::forward, "forward"}, Name<Does>{Does::group, "group"},
    Name<Does>{Does::reload, "reload"},   Name<Does>{Does::stop, "stop"},
    Name<Does>{Does::quit, "quick-stop"}, Name<Does>{Does::more, "more"},
    Name<Does>{Does::fewer, "fewer"},     Name<Does>{Does::ignore, "ignore"}};

template <class E, std::size_t N>
bool read_name(const std::array<Name<E>, N>& names, std::string_view text, E& value) {
  const auto found = std::ranges::find(names, to_lower(text), &Name<E>::text);
  if (found == names.end()) {
    return false;
  }
  value = found->value;
  return true;
}

template <class E, std::size_t N>
std::string show_name(const std::array<Name<E>, N>& names, E value) {
  const auto found = std::ranges::find(names, value, &Name<E>::value);
  return found == names.end() ? std::string() : std::string(found->text);
}

bool has_control_bytes(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// "TERM=INT", "USR2=reload"
std::optional<SignalRule> read_rule(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    return std::nullopt;
  }
  const auto from = parse_signal(trim(text.substr(0, equals)));
  // KILL and STOP never arrive, signal(7); CHLD is the supervisor's own.
  if (!from || *from == signals::kill || *from == signals::stop || *from == signals::child) {
    return std::nullopt;
  }
  const std::string_view action = trim(text.substr(equals + 1));
  SignalRule rule{.from = *from, .does = Does::send, .to = parse_signal(action)};
  // "stop" means an orderly stop; the signal of that name is written SIGSTOP.
  if (read_name(kRuleWords, action, rule.does)) {
    rule.to = std::nullopt;
  }
  return rule.to || rule.does != Does::send ? std::optional(rule) : std::nullopt;
}

bool is_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() == 4 && std::ranges::all_of(parts, [](auto part) {
           return parse_number<std::uint8_t>(part).has_value();
         });
}

// RFC 4291, 2.2: groups of one to four digits, of which the last two may be written as IPv4.
std::optional<std::size_t> count_ipv6_groups(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  std::size_t count = 0;
  const auto groups = split(text, ':');
  for (const std::string_view group : groups) {
    const bool is_last = &group == &groups.back();
    const bool is_hex = !group.empty() && group.size() <= 4 &&
                        group.find_first_not_of("0123456789abcdefABCDEF") == group.npos;
    if (!is_hex && !(is_last && is_ipv4(group))) {
      return std::nullopt;
    }
    count += is_hex ? 1 : 2;
  }
  return count;
}

bool is_bracketed_ipv6(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') {
    return false;
  }
  const std::string_view address = text.substr(1, text.size() - 2);
  const auto gap = address.find("::");
  if (gap == std::string_view::npos) {
    return count_ipv6_groups(address) == 8U;
  }
  // One run of zero groups at most, which stands for one or more.
  const auto head = count_ipv6_groups(address.substr(0, gap));
  const auto tail = count_ipv6_groups(address.substr(gap + 2));
  return address.find("::", gap + 1) == std::string_view::npos && head && tail &&
         *head + *tail <= 7;
}

bool is_user_part(std::string_view text) {
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    // 4294967295 is (uid_t)-1: "leave unchanged" to setresuid(2).
    const auto id = parse_number<std::uint32_t>(text);
    return id && *id != UINT32_MAX;
  }
  return text.front() != '-' && !has_control_bytes(text) &&
         text.find_first_of(" /,") == std::string_view::npos;
}

}  // namespace

bool read_value(std::string_view text, Mode& value) {
  return read_name(kModes, text, value);
}
bool read_value(std::string_view text, Balance& value) {
  return read_name(kBalances, text, value);
}
bool read_value(std::string_view text, Readiness& value) {
  return read_name(kReadiness, text, value);
}
bool read_value(std::string_view text, StopStyle& value) {
  return read_name(kStopStyles, text, value);
}
bool read_value(std::string_view text, RestartMode& value) {
  return read_name(kRestartModes, text, value);
}
bool read_value(std::string_view text, FollowResize& value) {
  bool follow = true;
  if (read_name(kFollowResizes, text, value)) {
    return true;
  }
  // The other ways to write on and off.
  const bool read = read_value(text, follow);
  value = follow ? FollowResize::on : FollowResize::off;
  return read;
}
bool read_value(std::string_view text, LogMode& value) {
  return read_name(kLogModes, text, value);
}
bool read_value(std::string_view text, LogJson& value) {
  return read_name(kLogJsons, text, value);
}
bool read_value(std::string_view text, LogFull& value) {
  return read_name(kLogFulls, text, value);
}
bool read_value(std::string_view text, Orphans& value) {
  return read_name(kOrphans, text, value);
}
bool read_value(std::string_view text, LogLevel& value) {
  return read_name(kLogLevels, text, value);
}
bool read_value(std::string_view text, LogFormat& value) {
  return read_name(kLogFormats, text, value);
}
bool read_value(std::string_view text, HttpDetail& value) {
  return read_name(kHttpDetails, text, value);
}

std::string show_value(Mode value) {
  return show_name(kModes, value);
}
std::string show_value(Balance value) {
  return show_name(kBalances, value);
}
std::string show_value(Readiness value) {
  return show_name(kReadiness, value);
}
std::string show_value(StopStyle value) {
  return show_name(kStopStyles, value);
}
std::string show_value(RestartMode value) {
  return show_name(kRestartModes, value);
}
std::string show_value(FollowResize value) {
  return show_name(kFollowResizes, value);
}
std::string show_value(LogMode value) {
  return show_name(kLogModes, value);
}
std::string show_value(LogJson value) {
  return show_name(kLogJsons, value);
}
std::string show_value(LogFull value) {
  return show_name(kLogFulls, value);
}
std::string show_value(Orphans value) {
  return show_name(kOrphans, value);
}
std::string show_value(LogLevel value) {
  return show_name(kLogLevels, value);
}
std::string show_value(LogFormat value) {
  return show_name(kLogFormats, value);
}
std::string show_value(HttpDetail value) {
  return show_name(kHttpDetails, value);
}

bool read_value(std::string_view text, bool& value) {
  constexpr std::array<std::string_view, 5> kTrue = {"on", "true", "yes", "1", "auto"};
  constexpr std::array<std::string_view, 4> kFalse = {"off", "false", "no", "0"};
  const std::string lower = to_lower(text);
  value = std::ranges::find(kTrue, lower) != kTrue.end();
  return value || std::ranges::find(kFalse, lower) != kFalse.end();
}

bool read_value(std::string_view text, Duration& value) {
  const auto parsed = parse_duration(text);
  value = parsed.value_or(0s);
  return parsed.has_value();
}
std::string show_value(Duration value) {
  // format_duration() writes "1m30s" for a person; a setting has one unit. 60s stays 60s.
  const auto whole = [value](Duration unit) { return value >= unit && value % unit == 0s; };
  if (whole(1h)) {
    return std::to_string(value / 1h) + "h";
  }
  if (whole(1min) && value >= 2min) {
    return std::to_string(value / 1min) + "m";
  }
  if (value == 0s || whole(1s)) {
    return std::to_string(value / 1s) + "s";
  }
  if (whole(1ms)) {
    return std::to_string(value / 1ms) + "ms";
  }
  const std::string nanoseconds = std::to_string(1000 + value.count() % 1000).substr(1);
  return std::to_string(value / 1us) + (nanoseconds == "000" ? "us" : "." + nanoseconds + "us");
}

bool read_value(std::string_view text, Signal& value) {
  const auto parsed = parse_signal(text);
  value = parsed.value_or(signals::term);
  return parsed.has_value();
}
std::string show_value(Signal value) {
  return to_string(value);
}

std::string show_value(unsigned value) {
  return std::to_string(value);
}

bool read_count(std::string_view text, unsigned least, unsigned& value) {
  const auto parsed = parse_number<unsigned>(text);
  value = parsed.value_or(0);
  return parsed && *parsed >= least && *parsed <= kMostWorkers;
}

bool read_percent(std::string_view text, unsigned& value) {
  if (!text.ends_with('%')) {
    return false;
  }
  text.remove_suffix(1);
  const auto parsed = parse_number<unsigned>(trim(text));
  value = parsed.value_or(0);
  return parsed && *parsed >= 1 && *parsed <= 100;
}

bool read_value(std::string_view text, std::vector<SignalRule>& value) {
  value.clear();
  if (to_lower(text) == "none") {
    return true;
  }
  for (const std::string_view piece : split(text, ',')) {
    const auto rule = read_rule(trim(piece));
    if (!rule || std::ranges::find(value, rule->from, &SignalRule::from) != value.end()) {
      return false;
    }
    value.push_back(*rule);
  }
  return true;
}
std::string show_value(const std::vector<SignalRule>& value) {
  std::string text;
  for (const SignalRule& rule : value) {
    text += text.empty() ? "" : ",";
    text += to_string(rule.from).substr(3) + "=";
    text += rule.to ? to_string(*rule.to) : show_name(kRuleWords, rule.does);
  }
  return text.empty() ? "none" : text;
}

bool read_value(std::string_view text, std::vector<int>& value) {
  value.clear();
  if (to_lower(text) == "none") {
    return true;
  }
  for (const std::string_view piece : split(text, ',')) {
    const auto code = parse_number<std::uint8_t>(trim(piece));
    if (!code) {
      return false;
    }
    value.push_back(*code);
  }
  return true;
}
std::string show_value(const std::vector<int>& value) {
  std::string text;
  for (const int code : value) {
    text += (text.empty() ? "" : ",") + std::to_string(code);
  }
  return text.empty() ? "none" : text;
}

bool read_value(std::string_view text, std::vector<std::string>& value) {
  value.clear();
  if (to_lower(text) == "none") {
    return true;
  }
  auto words = split_command(text);
  if (!words || words->empty() || words->front().empty() ||
      text.find('\0') != std::string_view::npos) {
    return false;
  }
  value = std::move(*words);
  return true;
}
std::string show_value(const std::vector<std::string>& value) {
  return value.empty() ? "none" : join_command(value);
}

bool read_value(std::string_view text, std::string& value) {
  value = text;
  return !text.empty() && !has_control_bytes(text);
}
std::string show_value(const std::string& value) {
  return value;
}

bool read_path(std::string_view text, std::string& value) {
  return read_value(text, value) && text.front() == '/';
}

bool read_listen_address(std::string_view text, std::string& value) {
  value = text;
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || !parse_number<std::uint16_t>(text.substr(colon + 1))) {
    return false;
  }
  const std::string_view host = text.substr(0, colon);
  return host.empty() || is_ipv4(host) || is_bracketed_ipv6(host);
}

bool read_control_address(std::string_view text, std::string& value) {
  if (!read_value(text, value)) {
    return false;
  }
  return text == "auto" || (text.size() >= 2 && text.size() <= kLongestSocketPath &&
                            (text.front() == '/' || text.front() == '@'));
}

bool read_user(std::string_view text, std::string& value) {
  value = text;
  const auto parts = split(text, ':');
  return parts.size() <= 2 &&
         std::ranges::all_of(parts, [](auto part) { return !part.empty() && is_user_part(part); });
}

}  // namespace ni
