// The words of `nodeinit ctl`, as people type them.

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/ctl/ctl.h"
#include "app/ctl/inspection.h"
#include "app/ctl/verbs_elsewhere.h"
#include "base/text.h"

namespace ni::app {
namespace {

using wire::ControlVerb;
using Show = CtlCommand::Show;

constexpr std::array<std::string_view, 16> kVerbs = {
    "status",      "top",           "reload",     "scale", "restart",    "stop",
    "signal",      "health",        "events",     "help",  "import-pm2", "stack",
    "cpu-profile", "heap-snapshot", "heap-stats", "report"};

constexpr Duration kLongestProfile = 600s;

// Which verbs an option is for. --control is for all that ask a running nodeinit.
struct VerbOption {
  std::string_view option;
  std::array<std::string_view, 8> verbs;
};
constexpr std::array<VerbOption, 4> kVerbOptions = {
    {{"--json", {"status"}},
     {"--quick", {"stop"}},
     {"--program",
      {"scale", "restart", "signal", "stack", "cpu-profile", "heap-snapshot", "heap-stats",
       "report"}},
     {"--env", {"import-pm2"}}}};

Error usage(std::string reason) {
  return Error{.operation = "understand", .subject = "ctl", .code = 0, .reason = std::move(reason)};
}

// Takes the operands of one verb.
Result<void> take_operands(CtlCommand& command, std::string_view verb,
                           std::span<const std::string> words) {
  const auto count = [&](std::size_t least, std::size_t most) {
    return words.size() >= least && words.size() <= most;
  };
  wire::ControlRequest& request = command.request;
  if (verb == "scale") {
    const std::string_view text = count(1, 1) ? std::string_view(words[0]) : "";
    request.relative = text.starts_with('+') || text.starts_with('-');
    const auto amount = parse_number<unsigned>(request.relative ? text.substr(1) : text);
    if (!amount || *amount == 0 || *amount > 1024) {
      return usage("scale needs N, +K or -K, from 1 to 1024");
    }
    request.amount = text.starts_with('-') ? -static_cast<int>(*amount) : static_cast<int>(*amount);
  } else if (verb == "restart" || verb == "signal" || is_inspection(verb)) {
    const bool is_signal = verb == "signal";
    if (verb == "cpu-profile" && words.size() == 2) {
      command.time = parse_duration(words[1]);
      if (!command.time || *command.time == 0s || *command.time > kLongestProfile) {
        return usage("cpu-profile takes a time such as 10s, up to 10m");
      }
      words = words.first(1);
    }
    if (!count(1, is_signal ? 2 : 1)) {
      return usage(is_signal ? "signal needs SIGNAL and perhaps SLOT"
                             : std::string(verb) + " needs SLOT");
    }
    if (is_signal && !(request.signal = parse_signal(words[0]))) {
      return usage("\"" + printable(words[0], 40) + "\" is no signal");
    }
    if (words.size() > (is_signal ? 1U : 0U)) {
      request.slot = parse_number<unsigned>(words.back());
      if (!request.slot) {
        return usage("\"" + printable(words.back(), 40) + "\" is no slot; slots are 0, 1, …");
      }
    }
  } else if (verb == "health") {
    if (!count(0, 1) || (count(1, 1) && words[0] != "live" && words[0] != "ready")) {
      return usage("health is asked as live or ready");
    }
    request.live = count(1, 1) && words[0] == "live";
  } else if (verb == "import-pm2") {
    if (!count(1, 1)) {
      return usage("import-pm2 needs one FILE");
    }
    command.file = words[0];
  } else if (verb == "reload" && count(1, 1) && words[0] == "all") {
    // As PM2's users type it: all is what it does.
  } else if (!words.empty()) {
    return usage(std::string(verb) + " takes no \"" + printable(words[0], 40) + "\"");
  }
  return {};
}

bool is_option(std::string_view word) {
  return word.starts_with("--") && word.size() > 2;
}

}  // namespace

Result<CtlCommand> parse_ctl(std::span<const std::string> words) {
  CtlCommand command;
  std::vector<std::string> operands;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!is_option(word)) {
      operands.push_back(word);
    } else if (word == "--json") {
      command.json = true;
    } else if (word == "--quick") {
      command.request.quick = true;
    } else if (word == "--help") {
      operands.insert(operands.begin(), "help");
    } else if ((word == "--program" || word == "--control" || word == "--env") &&
               i + 1 < words.size()) {
      (word == "--program"   ? command.request.program
       : word == "--control" ? command.control
                             : command.environment_name) = words[++i];
    } else {
      return usage("unknown option or missing value: " + printable(word, 40));
    }
  }
  const std::string verb = operands.empty() ? "help" : operands.front();
  const auto* const known = std::ranges::find(kVerbs, verb);
  if (known == kVerbs.end()) {
    if (const std::string_view here = verb_here(verb); !here.empty()) {
      return usage("what other tools call " + verb + " is here: " + std::string(here));
    }
    const auto nearest = did_you_mean(verb, kVerbs);
    return usage("unknown verb \"" + printable(verb, 40) + "\"" +
                 (nearest ? "; did you mean " + std::string(*nearest) + "?" : ""));
  }
  for (const VerbOption& each : kVerbOptions) {
    const bool given = std::ranges::find(words, each.option) != words.end();
    if (given && verb != "help" && std::ranges::find(each.verbs, verb) == each.verbs.end()) {
      return usage(verb + " takes no " + std::string(each.option));
    }
  }
  command.show = verb == "help"         ? Show::help
                 : verb == "status"     ? Show::status
                 : verb == "top"        ? Show::top
                 : verb == "events"     ? Show::events
                 : verb == "import-pm2" ? Show::import_pm2
                 : is_inspection(verb)  ? Show::inspection
                                        : Show::answer;
  command.verb = verb;
  constexpr std::array kRequests = {ControlVerb::status, ControlVerb::health,  ControlVerb::reload,
                                    ControlVerb::scale,  ControlVerb::restart, ControlVerb::stop,
                                    ControlVerb::signal, ControlVerb::events};
  for (const ControlVerb candidate : kRequests) {
    if (to_string(candidate) == verb) {
      command.request.verb = candidate;
    }
  }
  if (command.show == Show::help) {
    return command;
  }
  auto taken = take_operands(command, verb, std::span(operands).subspan(1));
  return taken ? Result<CtlCommand>(std::move(command)) : std::move(taken).error();
}

}  // namespace ni::app
