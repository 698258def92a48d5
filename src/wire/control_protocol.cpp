#include "wire/control_protocol.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ni::wire {
namespace {

constexpr std::array kVerbs = {ControlVerb::status, ControlVerb::health,  ControlVerb::reload,
                               ControlVerb::scale,  ControlVerb::restart, ControlVerb::stop,
                               ControlVerb::signal, ControlVerb::events};
constexpr unsigned kHighestSlot = 4095;
constexpr std::int64_t kLargestAmount = 4096;

Error refuse(std::string reason) {
  return Error{
      .operation = "understand", .subject = "request", .code = 0, .reason = std::move(reason)};
}

Result<Json> parse_versioned(std::string_view line, std::size_t longest) {
  auto json = Json::parse(line, JsonLimits{.bytes = longest, .depth = 16});
  if (!json) {
    return refuse(json.error().reason);
  }
  const auto version = json->at("nodeinit").integer();
  if (!version) {
    return refuse("no \"nodeinit\" version in it");
  }
  if (*version != kControlVersion) {
    return refuse("version " + std::to_string(*version) + " is spoken, version " +
                  std::to_string(kControlVersion) + " is understood");
  }
  return json;
}

}  // namespace

std::string_view to_string(ControlVerb verb) {
  switch (verb) {
    case ControlVerb::status:
      return "status";
    case ControlVerb::health:
      return "health";
    case ControlVerb::reload:
      return "reload";
    case ControlVerb::scale:
      return "scale";
    case ControlVerb::restart:
      return "restart";
    case ControlVerb::stop:
      return "stop";
    case ControlVerb::signal:
      return "signal";
    case ControlVerb::events:
      return "events";
  }
  return {};
}

Result<ControlRequest> parse_control_request(std::string_view line) {
  NI_TRY(const Json json, parse_versioned(line, kLongestRequest));
  ControlRequest request;
  const auto* const verb = std::ranges::find_if(
      kVerbs, [&](ControlVerb candidate) { return json.at("verb").equals(to_string(candidate)); });
  if (verb == kVerbs.end()) {
    return refuse("unknown verb \"" + printable(json.at("verb").string().value_or(""), 40) + "\"");
  }
  request.verb = *verb;
  request.program = json.at("program").string().value_or("");
  if (const auto slot = json.at("slot").integer()) {
    if (*slot < 0 || *slot > kHighestSlot) {
      return refuse("there is no such slot");
    }
    request.slot = static_cast<unsigned>(*slot);
  }
  if (const auto number = json.at("signal").integer()) {
    request.signal = *number >= 1 && *number <= kHighestSignal
                         ? Signal::from(static_cast<int>(*number))
                         : std::nullopt;
  }
  if (const auto amount = json.at("amount").integer()) {
    request.amount = static_cast<int>(std::clamp(*amount, -kLargestAmount, kLargestAmount));
  }
  request.relative = json.at("relative").boolean().value_or(false);
  request.live = json.at("live").boolean().value_or(false);
  request.quick = json.at("quick").boolean().value_or(false);
  if (request.verb == ControlVerb::restart && !request.slot) {
    return refuse("restart needs a slot");
  }
  if (request.verb == ControlVerb::signal && !request.signal) {
    return refuse("signal needs a signal");
  }
  if (request.verb == ControlVerb::scale && !request.relative && request.amount < 1) {
    return refuse("scale needs at least one worker");
  }
  return request;
}

std::string to_line(const ControlRequest& request) {
  Json json = Json::object({{"nodeinit", kControlVersion}, {"verb", to_string(request.verb)}});
  if (!request.program.empty()) {
    json.set("program", request.program);
  }
  if (request.slot) {
    json.set("slot", *request.slot);
  }
  if (request.signal) {
    json.set("signal", request.signal->number());
  }
  if (request.verb == ControlVerb::scale) {
    json.set("amount", request.amount).set("relative", request.relative);
  }
  if (request.live) {
    json.set("live", true);
  }
  if (request.quick) {
    json.set("quick", true);
  }
  return json.text() + "\n";
}

Result<ControlReply> parse_control_reply(std::string_view line) {
  NI_TRY(const Json json, parse_versioned(line, kLongestReply));
  const auto ok = json.at("ok").boolean();
  if (!ok) {
    return refuse("no answer in it");
  }
  return ControlReply{.more = json.at("more").boolean().value_or(false),
                      .ok = *ok,
                      .message = json.at("message").string().value_or(""),
                      .data = json.at("data")};
}

std::string to_line(const ControlReply& reply) {
  Json json = Json::object({{"nodeinit", kControlVersion}, {"ok", reply.ok}});
  if (reply.more) {
    json.set("more", true);
  }
  if (!reply.message.empty()) {
    json.set("message", reply.message);
  }
  json.set("data", reply.data);
  return json.text() + "\n";
}

}  // namespace ni::wire
