#include "core/settings/settings.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/settings/setting_values.h"

namespace ni {
namespace {

using enum Setting::Scope;
using enum Setting::Form;
using enum Setting::Reload;

// Where a member lives: in the container's Config or in a ProgramConfig.
template <class T>
T& target(T Config::*member, Config& container, ProgramConfig&) {
  return container.*member;
}
template <class T>
T& target(T ProgramConfig::*member, Config&, ProgramConfig& program) {
  return program.*member;
}
template <class T>
const T& source(T Config::*member, const Config& container, const ProgramConfig&) {
  return container.*member;
}
template <class T>
const T& source(T ProgramConfig::*member, const Config&, const ProgramConfig& program) {
  return program.*member;
}

template <auto Member>
bool read(std::string_view text, Config& container, ProgramConfig& program) {
  return read_value(text, target(Member, container, program));
}
template <auto Member>
std::string show(const Config& container, const ProgramConfig& program) {
  return show_value(source(Member, container, program));
}

// A duration which may not be zero.
template <auto Member>
bool read_positive(std::string_view text, Config& container, ProgramConfig& program) {
  Duration& value = target(Member, container, program);
  return read_value(text, value) && value > 0s;
}

template <auto Member>
std::string show_switch(const Config& container, const ProgramConfig& program) {
  return source(Member, container, program) ? "on" : "off";
}

// A number from Least up.
template <auto Member, unsigned Least>
bool read_number(std::string_view text, Config& container, ProgramConfig& program) {
  return read_count(text, Least, target(Member, container, program));
}

bool means_none(std::string_view text) {
  const std::string lower = to_lower(text);
  return lower == "none" || lower == "off";
}

// A value that may be absent, written "none" or "off".
template <auto Member, auto Reader>
bool read_optional(std::string_view text, Config& container, ProgramConfig& program) {
  auto& value = target(Member, container, program);
  if (means_none(text)) {
    value.reset();
    return true;
  }
  return Reader(text, value.emplace());
}
template <auto Member>
std::string show_or_none(const Config& container, const ProgramConfig& program) {
  const auto& value = source(Member, container, program);
  return value ? show_value(*value) : "none";
}
template <auto Member>
std::string show_or_off(const Config& container, const ProgramConfig& program) {
  const auto& value = source(Member, container, program);
  return value ? show_value(*value) : "off";
}

bool read_module(std::string_view text, Config& /*container*/, ProgramConfig& program) {
  program.module_inside = to_lower(text) != "off";
  return to_lower(text) == "off" || to_lower(text) == "auto";
}
std::string show_module(const Config& /*container*/, const ProgramConfig& program) {
  return program.module_inside ? "auto" : "off";
}

bool read_adopt(std::string_view text, Config& /*container*/, ProgramConfig& program) {
  program.adopt = to_lower(text) != "off";
  return to_lower(text) == "off" || to_lower(text) == "auto";
}
std::string show_adopt(const Config& /*container*/, const ProgramConfig& program) {
  return program.adopt ? "auto" : "off";
}

bool means_auto(std::string_view text) {
  return to_lower(text) == "auto";
}

// A value that nodeinit chooses where it is absent, written "auto".
template <auto Member>
bool read_or_auto(std::string_view text, Config& container, ProgramConfig& program) {
  auto& value = target(Member, container, program);
  if (means_auto(text)) {
    value.reset();
    return true;
  }
  return read_value(text, value.emplace());
}
template <auto Member, auto Reader>
bool read_or_auto(std::string_view text, Config& container, ProgramConfig& program) {
  auto& value = target(Member, container, program);
  if (means_auto(text)) {
    value.reset();
    return true;
  }
  return Reader(text, value.emplace(signals::term));
}
template <auto Member>
std::string show_or_auto(const Config& container, const ProgramConfig& program) {
  const auto& value = source(Member, container, program);
  return value ? show_value(*value) : "auto";
}

// What a program cannot handle ends nothing in order, and what means something else to us or to
// the kernel does not end at all.
bool may_stop(std::string_view text, Signal& value) {
  constexpr std::array kOther = {signals::kill, signals::stop, signals::cont, signals::child,
                                 signals::tstp, signals::ttin, signals::ttou, signals::winch};
  return read_value(text, value) && std::ranges::find(kOther, value) == kOther.end();
}

bool at_least_one(std::string_view text, unsigned& value) {
  return read_count(text, 1, value);
}
bool any_text(std::string_view text, std::string& value) {
  return read_value(text, value);
}
bool memory(std::string_view text, MemoryAmount& value) {
  return read_value(text, value);
}
bool requests(std::string_view text, RequestLimit& value) {
  return read_value(text, value);
}
bool loop_delay(std::string_view text, LoopDelayLimit& value) {
  return read_value(text, value);
}
bool positive(std::string_view text, Duration& value) {
  return read_value(text, value) && value > 0s;
}
bool age(std::string_view text, Duration& value) {
  return read_value(text, value) && value >= 1s;
}
// A program that hangs handles no signal: only what the kernel does by itself ends it.
bool read_hang_signal(std::string_view text, Config&, ProgramConfig& program) {
  return read_value(text, program.hang_signal) &&
         (program.hang_signal == signals::kill || program.hang_signal == signals::abort);
}
// What a worker needs to be one, and what holds more than a number.
bool is_taken_variable(std::string_view name) {
  constexpr std::array<std::string_view, 6> kTaken = {
      "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE",
      "NODE_UNIQUE_ID",  "NODEINIT_SLOTS",
      "NODE_OPTIONS",    "PATH"};
  return std::ranges::find(kTaken, name) != kTaken.end();
}
bool path_or_auto(std::string_view text, std::string& value) {
  return read_path(text, value) || text == "auto";
}

// Names of variables, divided by commas.
template <auto Member>
bool read_names(std::string_view text, Config& container, ProgramConfig& program) {
  auto& names = target(Member, container, program);
  names.clear();
  if (means_none(text)) {
    return true;
  }
  for (const std::string_view piece : split(text, ',')) {
    const std::string_view name = trim(piece);
    // The program's arguments and environment cannot hold a NUL, the file can.
    if (name.empty() || name.find('=') != name.npos || name.find('\0') != name.npos ||
        is_taken_variable(name)) {
      return false;
    }
    names.emplace_back(name);
  }
  return true;
}
template <auto Member>
std::string show_names(const Config& container, const ProgramConfig& program) {
  std::string text;
  for (const std::string& name : source(Member, container, program)) {
    text += (text.empty() ? "" : ",") + name;
  }
  return text.empty() ? "none" : text;
}

constexpr std::string_view kTime = "a time such as 250ms, 5s, 2m or 24h";
constexpr std::string_view kTimeAboveZero = "a time above zero such as 250ms, 5s, 2m or 24h";
constexpr std::string_view kCommand =
    "a command in words ('quoted' where a blank belongs to a word; no shell)";

using C = Config;
using P = ProgramConfig;

constexpr Setting kSettings[] = {
    {"mode", word, container, "auto", "auto|cluster|single", "auto, cluster or single",
     "cluster: several workers share the port; single: init for one process; auto: cluster when "
     "the command "
     "is node with a script",
     read<&C::mode>, show<&C::mode>, needs_new_container},
    {"workers", word, program, "auto", "N", "auto, max, N (1 to 1024), -K, P%, N..M or N..auto",
     "how many: auto (the limits decide), max (auto without the memory cap), N, -K (auto minus K), "
     "P% of the CPUs, N..M or N..auto (as the load wants, with heaps for the most); "
     "WEB_CONCURRENCY is honoured when this is unset",
     read<&P::workers>, show<&P::workers>},
    {"max_workers", word, program, "none", "N", "none or a number from 1 to 1024",
     "upper bound of auto", read_optional<&P::max_workers, at_least_one>,
     show_or_none<&P::max_workers>},
    {"balance", word, program, "kernel", "kernel|shared|round-robin|client-ip",
     "kernel, shared, round-robin or client-ip",
     "who gets a connection: kernel (a socket per slot, only ready slots get connections), shared "
     "(one socket, all "
     "accept), round-robin (nodeinit accepts and hands over), client-ip (sticky)",
     read<&P::balance>, show<&P::balance>, needs_new_container},
    {"ready", word, program, "listen", "listen|message|online", "listen, message or online",
     "a worker is ready at its first TCP listen (without one: half a second after its last listen "
     "on "
     "a Unix socket or UDP port), at process.send('ready'), or once it runs",
     read<&P::ready>, show<&P::ready>},
    {"ready_timeout", word, program, "none", "TIME", "none or a time above zero such as 90s",
     "not ready by then: that worker failed; none: after 60s a line, and it goes on (the successor "
     "of a reload fails after 60s, or three times what the worker before it took)",
     read_optional<&P::ready_timeout, positive>, show_or_none<&P::ready_timeout>},
    {"ready_workers", word, program, "1", "N|P%", "a number from 1 to 1024 or 1% to 100%",
     "the container is ready (/readyz, ctl health) while so many of the wanted workers are",
     read<&P::ready_workers>, show<&P::ready_workers>},
    {"memory", word, container, "none", "SIZE|P%",
     "none, a size of at least 1M such as 300M or 1GiB, or 1% to 100% of the limit",
     "what to plan workers and heaps with (none: all of the limit), where others need a part of "
     "the container's memory (a "
     "tmpfs, a browser, another process)",
     read_optional<&C::memory, memory>, show_or_none<&C::memory>},
    {"grace", word, container, "28s in Kubernetes, else 8s", "TIME", kTime,
     "whole time from SIGTERM to the last SIGKILL", read<&C::grace>, show<&C::grace>},
    {"stop_delay", word, container, "0s", "TIME", kTime,
     "keep serving this long after SIGTERM with readiness already false", read<&C::stop_delay>,
     show<&C::stop_delay>},
    {"stop", word, program, "auto", "auto|drain|signal", "auto, drain or signal",
     "auto: quiet first (no new connections, requests are finished with the server open), then, at "
     "most a "
     "quarter of the grace or 3s after a stop began, the signal for a program that handles it, an "
     "end for "
     "one that does not; drain: Node's disconnect first, then the signal; signal: at once",
     read<&P::stop>, show<&P::stop>},
    {"drain", word, program, "auto", "auto|TIME", "auto or a time such as 30s",
     "how long requests in flight are waited for; auto: in a stop all of the grace but its last "
     "half "
     "second, in a reload, a resize or a replacement five minutes",
     read_or_auto<&P::drain>, show_or_auto<&P::drain>},
    {"stop_signal", word, program, "auto", "auto|SIGNAL",
     "auto or a signal such as SIGTERM, INT or 15",
     "what workers get when they must end; auto: the signal that stops the container, SIGTERM in a "
     "reload, "
     "and another of TERM and INT where the program handles only that",
     read_or_auto<&P::stop_signal, may_stop>, show_or_auto<&P::stop_signal>},
    {"restart", word, program, "auto", "auto|always|on-failure|never",
     "auto, always, on-failure or never",
     "which deaths are followed by a new worker; auto: those of a server always, a program that "
     "ends without ever listening has run once",
     read<&P::restart>, show<&P::restart>},
    {"restart_backoff", word, program, "100ms..30s", "FIRST..LARGEST",
     "a first and a largest delay such as 100ms..30s",
     "delay before a restart: doubling, with jitter", read<&P::restart_backoff>,
     show<&P::restart_backoff>},
    {"restart_limit", word, program, "10/60s", "N/TIME",
     "a number of deaths (1 to 1000) in a time, such as 10/60s",
     "so many deaths in a time with no worker ready: the container ends with the worker's code",
     read<&P::restart_limit>, show<&P::restart_limit>},
    {"stop_codes", list, program, "none", "CODE,…", "none or exit codes from 0 to 255 such as 0,78",
     "exit codes that are not restarted", read<&P::stop_codes>, show<&P::stop_codes>},
    {"max_memory", word, program, "none", "SIZE|P%",
     "none, a size of at least 1M such as 300M or 1GiB, or 1% to 100% of the worker's share",
     "a worker above it is drained and replaced, one at a time",
     read_optional<&P::max_memory, memory>, show_or_none<&P::max_memory>},
    {"max_age", word, program, "none", "TIME", "none or a time of at least 1s such as 24h",
     "a worker older than this (with jitter) is drained and replaced, one at a time",
     read_optional<&P::max_age, age>, show_or_none<&P::max_age>},
    {"max_requests", word, program, "none", "N[±P%]",
     "none or a number of requests from 1 and how much it may differ, such as 10000±10%",
     "a worker that has answered so many HTTP requests (10% more or less unless said otherwise) is "
     "drained and replaced, one at a time",
     read_optional<&P::max_requests, requests>, show_or_none<&P::max_requests>},
    {"max_loop_delay", word, program, "none", "TIME[/TIME]",
     "none or a time of at least 10ms, and for how long (at least 2s), such as 500ms/1m",
     "a worker whose event loop takes longer than this to answer, all the time for so long (1m "
     "unless said otherwise), while others do not, is drained and replaced, one at a time",
     read_optional<&P::max_loop_delay, loop_delay>, show_or_none<&P::max_loop_delay>},
    {"hang_timeout", word, program, "0s", "TIME", kTime,
     "event loop unanswered this long: diagnosed, killed, replaced; 0s: off",
     read<&P::hang_timeout>, show<&P::hang_timeout>},
    {"hang_signal", word, program, "SIGKILL", "SIGNAL", "SIGKILL or SIGABRT",
     "what a worker that hangs gets; SIGABRT leaves a core dump where the container allows one, "
     "SIGKILL follows after 5s",
     read_hang_signal, show<&P::hang_signal>},
    {"spares", word, program, "0", "N", "a number from 0 to 1024",
     "workers fully loaded but parked at listen(), promoted when one dies",
     read_number<&P::spares, 0>, show<&P::spares>},
    {"surge", word, program, "1", "N", "a number from 0 to 1024",
     "workers above N during a rolling reload; 0: one down at a time", read_number<&P::surge, 0>,
     show<&P::surge>},
    {"heap", word, program, "auto", "auto|off", "auto or off",
     "auto: --max-old-space-size and --max-semi-space-size from the limit and N, unless the user "
     "set one",
     read<&P::heap_auto>,
     [](const Config&, const ProgramConfig& own) {
       return std::string(own.heap_auto ? "auto" : "off");
     }},
    {"module", word, program, "auto", "auto|off", "auto or off",
     "auto: a small module given to node by --require, a file in memory: it lets a program that "
     "has "
     "nothing to do end, counts connections, and finishes requests before the stop signal "
     "(stop=auto)",
     read_module, show_module},
    {"adopt", word, program, "auto", "auto|off", "auto or off",
     "auto: below a command that is not node (a script, a wrapper, a launcher) the Node process "
     "that "
     "listens first becomes the program, and its siblings are started beside it; off: one process",
     read_adopt, show_adopt, needs_new_container},
    {"worker_metrics", word, program, "on", "on|off", "on or off",
     "with http: /metrics has the workers' own metrics of prom-client, too, merged as its "
     "AggregatorRegistry does",
     read<&P::worker_metrics>, show_switch<&P::worker_metrics>},
    {"request_metrics", word, program, "on", "on|off", "on or off",
     "with http: the module inside counts HTTP requests, their times and what became of them",
     read<&P::request_metrics>, show_switch<&P::request_metrics>},
    {"resize", word, container, "on", "on|reload|off", "on, reload or off",
     "follow live changes of the limits: workers are added or drained, and replaced at once by "
     "ones "
     "with a smaller heap when the memory limit shrinks; reload: when it grows, by a rolling "
     "reload, too",
     read<&C::resize>, show<&C::resize>},
    {"orphans", word, program, "end", "end|keep", "end or keep",
     "what becomes of the processes that a dead worker leaves behind (detached, in a group of "
     "their "
     "own): end: SIGTERM, and SIGKILL 5s later; keep: a line tells of them",
     read<&P::orphans>, show<&P::orphans>},
    {"log", word, container, "auto", "inherit|lines|prefix|json",
     "auto, inherit, lines, prefix or json",
     "workers' output: as it is, in whole lines, with the worker's name, or as JSON; auto: inherit "
     "for one worker "
     "or a tty, else lines",
     read<&C::log>, show<&C::log>, needs_new_container},
    {"log_json", word, container, "merge", "merge|wrap", "merge or wrap",
     "with log=json, a line that is a JSON object already: gets the fields it lacks, or becomes "
     "the "
     "message",
     read<&C::log_json>, show<&C::log_json>, needs_new_container},
    {"log_full", word, container, "wait", "wait|drop", "wait or drop",
     "when the reader of the logs is too slow: workers wait, or lines are dropped, counted and "
     "told "
     "of",
     read<&C::log_full>, show<&C::log_full>, needs_new_container},
    {"log_level", word, container, "info", "LEVEL", "error, warn, info or debug",
     "nodeinit's own messages, to stderr", read<&C::log_level>, show<&C::log_level>},
    {"log_format", word, container, "text", "text|json", "text or json",
     "form of nodeinit's own messages", read<&C::log_format>, show<&C::log_format>},
    {"http", word, container, "off", "ADDRESS",
     "off, :PORT, IPV4:PORT or [IPV6]:PORT, such as 127.0.0.1:9464",
     "serve /livez /readyz /startupz /metrics /status there, and a page at /",
     read_optional<&C::http, read_listen_address>, show_or_off<&C::http>, needs_new_container},
    {"http_detail", word, container, "plain", "plain|full", "plain or full",
     "what /events (and the page) show to whoever reaches that port; plain: nothing that a program "
     "has said itself (its last words, texts of exceptions), which may hold secrets; full: these, "
     "too, as the log and `nodeinit ctl events` do",
     read<&C::http_detail>, show<&C::http_detail>},
    {"control", word, container, "auto", "auto|PATH|off",
     "auto, off, or an absolute path or @name of at most 107 bytes",
     "control socket; auto: an abstract name with the PID namespace's number, no file written",
     read_optional<&C::control, read_control_address>, show_or_off<&C::control>,
     needs_new_container},
    {"signals", list, container, "none", "RULE,…",
     "none or rules such as TERM=INT,HUP=forward,USR2=reload (a signal, forward, group, reload, "
     "stop, "
     "quick-stop, more, "
     "fewer, ignore), one for a signal",
     "what is done when a signal arrives", read<&C::signals>, show<&C::signals>},
    {"user", word, program, "none", "USER[:GROUP]",
     "none, or numbers or names such as 1000, 1000:1000 or node",
     "uid[:gid] of the workers, or a name of the image's passwd file",
     read_optional<&P::user, read_user>, show_or_none<&P::user>},
    {"termination_log", word, container, "auto", "PATH|off", "auto, off or an absolute path",
     "why the container ended, for Kubernetes; auto: /dev/termination-log if present",
     read_optional<&C::termination_log, path_or_auto>, show_or_off<&C::termination_log>},
    {"pre_start", command, container, "none", "COMMAND", kCommand,
     "run once before the workers; its failure ends the container with its code",
     read<&C::pre_start>, show<&C::pre_start>, needs_new_container},
    {"post_stop", command, container, "none", "COMMAND", kCommand, "run once after the last worker",
     read<&C::post_stop>, show<&C::post_stop>},
    {"env_file", word, program, "none", "PATH", "none or a path",
     "NAME=VALUE lines for the workers' environment, read at the start and at each reload",
     read_optional<&P::environment_file, any_text>, show_or_none<&P::environment_file>},
    {"slot_variables", list, program, "none", "NAME,…",
     "none or names such as pm_id,INSTANCE_ID, none of them one that Node itself needs",
     "more variables in which a worker finds the number of its slot, besides NODE_APP_INSTANCE and "
     "NODEINIT_SLOT",
     read_names<&P::slot_variables>, show_names<&P::slot_variables>},
    {"directory", word, program, "none", "PATH", "none or a path",
     "working directory of the workers", read_optional<&P::directory, any_text>,
     show_or_none<&P::directory>},
    {"share", word, program_only, "none", "P%", "none or 1% to 100%",
     "part of the container's memory that this program's workers may plan with",
     read_optional<&P::share, read_percent>,
     [](const Config&, const ProgramConfig& own) {
       return own.share ? std::to_string(*own.share) + "%" : std::string("none");
     }},
    {"essential", word, program_only, "on", "on|off", "on or off",
     "the container ends when this program has ended for good", read<&P::essential>,
     show_switch<&P::essential>},
};

}  // namespace

std::span<const Setting> settings() {
  return kSettings;
}

const Setting* find_setting(std::string_view key) {
  const auto* const found = std::ranges::find(kSettings, key, &Setting::key);
  return found == std::ranges::end(kSettings) ? nullptr : found;
}

std::string option_name(const Setting& setting) {
  std::string name = "--" + std::string(setting.key);
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string variable_name(const Setting& setting) {
  return "NODEINIT_" + to_upper(setting.key);
}

std::string as_key(std::string_view written) {
  std::string key = to_lower(written);
  std::ranges::replace(key, '-', '_');
  return key;
}

}  // namespace ni
