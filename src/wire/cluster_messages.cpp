#include "wire/cluster_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"

namespace ni::wire {
namespace {

constexpr std::string_view kCluster = "NODE_CLUSTER";
constexpr std::string_view kConnections = "NODE_NODEINIT_CONNECTIONS";
constexpr std::string_view kRetire = "NODE_NODEINIT_RETIRE";
constexpr std::string_view kPrimary = "NODE_NODEINIT_PRIMARY";

Error malformed(std::string_view what) {
  return {.operation = "read",
          .subject = "a message of a worker",
          .code = 0,
          .reason = std::string(what)};
}

// Node leaves out what is undefined, and Deno writes `"backlog":false`: what is no number counts as
// none. lib/dgram.js passes on what the program gave to bind(), such as process.env.PORT, a string.
int small_number(const Json& value, int otherwise) {
  std::optional<std::int64_t> number = value.integer();
  if (const std::optional<std::string> text = value.string(); text && !number) {
    number = parse_number<std::int64_t>(trim(*text));
  }
  const bool fits = number && *number >= std::numeric_limits<int>::min() &&
                    *number <= std::numeric_limits<int>::max();
  return fits ? static_cast<int>(*number) : otherwise;
}

std::optional<ListenQuery::Type> type_of(const Json& message) {
  const Json type = message.at("addressType");
  if (type.equals("udp4")) return ListenQuery::Type::udp4;
  if (type.equals("udp6")) return ListenQuery::Type::udp6;
  if (small_number(message.at("fd"), -1) >= 0) return ListenQuery::Type::descriptor;
  switch (small_number(type, 0)) {
    case 4:
      return ListenQuery::Type::tcp4;
    case 6:
      return ListenQuery::Type::tcp6;
    case -1:
      return ListenQuery::Type::pipe;
    default:
      return std::nullopt;
  }
}

Result<ListenQuery> parse_query(const Json& message) {
  const std::optional<ListenQuery::Type> type = type_of(message);
  const std::optional<std::int64_t> index = message.at("index").integer();
  if (!type) return malformed("a listen without a type of address");
  ListenQuery query{.type = *type,
                    .address = message.at("address").string(),
                    .port = small_number(message.at("port"), 0),
                    .descriptor = small_number(message.at("fd"), -1),
                    .flags = small_number(message.at("flags"), 0),
                    .backlog = small_number(message.at("backlog"), 0),
                    .index = index.value_or(0),
                    .readable_by_all = message.at("readableAll").boolean().value_or(false),
                    .writable_by_all = message.at("writableAll").boolean().value_or(false),
                    .by_deno = message.at("backlog").boolean().has_value(),
                    .data = message.at("data")};
  if (query.type == ListenQuery::Type::pipe && !query.address)
    return malformed("a pipe without a path");
  return query;
}

Result<WorkerMessage> parse_act(const Json& message) {
  const Json act = message.at("act");
  const std::optional<std::int64_t> seq = message.at("seq").integer();
  if (act.equals("online")) return WorkerMessage(OnlineAct{});
  if (act.equals("queryServer")) {
    NI_TRY(ListenQuery query, parse_query(message));
    if (!seq) return malformed("a queryServer without seq");
    return WorkerMessage(QueryServerAct{*seq, std::move(query)});
  }
  if (act.equals("listening")) {
    NI_TRY(ListenQuery query, parse_query(message));
    return WorkerMessage(ListeningAct{std::move(query)});
  }
  if (act.equals("close")) {
    std::optional<std::string> key = message.at("key").string();
    if (!key) return malformed("a close without key");
    return WorkerMessage(CloseAct{*std::move(key)});
  }
  if (act.equals("exitedAfterDisconnect")) {
    if (!seq) return malformed("an exitedAfterDisconnect without seq");
    return WorkerMessage(ExitedAfterDisconnectAct{*seq});
  }
  return WorkerMessage(UnknownMessage{});
}

Result<WorkerMessage> parse_retirement(const Json& message) {
  using enum Retirement::Act;
  constexpr std::array<std::pair<std::string_view, Retirement::Act>, 7> kActs = {
      {{"cannot", cannot},
       {"retires", retires},
       {"answered", answered},
       {"quiet", quiet},
       {"signalled", signalled},
       {"leaves", leaves},
       {"serves on", serves_on}}};
  const std::string act = message.at("act").string().value_or("");
  const auto known =
      std::ranges::find(kActs, act, &std::pair<std::string_view, Retirement::Act>::first);
  if (known == kActs.end()) {
    return malformed("a retirement without an act");
  }
  const std::int64_t open = message.at("open").integer().value_or(0);
  return WorkerMessage(Retirement{.act = known->second,
                                  .signal = message.at("signal").string().value_or(""),
                                  .open = open > 0 ? static_cast<std::uint64_t>(open) : 0});
}

Json answer_body(const Answer& answer, const Json& error_number) {
  return Json::object({{"cmd", kCluster},
                       {"errno", error_number},
                       {"key", answer.key},
                       {"ack", answer.ack},
                       {"data", answer.data ? answer.data : Json(nullptr)}});
}

Json handle(std::string_view type, const Json& message) {
  return Json::object({{"cmd", "NODE_HANDLE"}, {"type", type}, {"msg", message}});
}

}  // namespace

bool ListenQuery::same_place(const ListenQuery& other) const {
  return type == other.type && address == other.address && descriptor == other.descriptor &&
         index == other.index;
}

std::string listen_key(const ListenQuery& query) {
  const auto type = [&]() -> std::string_view {
    switch (query.type) {
      case ListenQuery::Type::tcp4:
        return "4";
      case ListenQuery::Type::tcp6:
        return "6";
      case ListenQuery::Type::pipe:
        return "-1";
      case ListenQuery::Type::udp4:
        return "udp4";
      case ListenQuery::Type::udp6:
        return "udp6";
      case ListenQuery::Type::descriptor:
        return "fd";
    }
    return "";
  }();
  return fmt::format("{}:{}:{}:{}:{}", query.address.value_or(""), query.port, type,
                     query.descriptor, query.index);
}

Result<WorkerMessage> parse_worker_message(std::string_view line) {
  NI_TRY(const Json message, Json::parse(line));
  const Json cmd = message.at("cmd");
  if (cmd.equals("NODE_HANDLE_ACK")) return WorkerMessage(HandleAck{});
  if (cmd.equals("NODE_HANDLE_NACK")) return WorkerMessage(HandleNack{});
  if (cmd.equals(kConnections)) {
    const std::int64_t count = message.at("count").integer().value_or(-1);
    if (count < 0) return malformed("connections without a count");
    return WorkerMessage(
        ConnectionsCounted{.count = static_cast<std::uint64_t>(count),
                           .asked = message.at("asked").boolean().value_or(true),
                           .hears = message.at("hears").boolean().value_or(true),
                           .handles_usr1 = message.at("usr1").boolean().value_or(false),
                           .signals = parse_worker_signals(message)});
  }
  if (cmd.equals(kRetire)) {
    return parse_retirement(message);
  }
  if (cmd.equals(kPrimary)) {
    return WorkerMessage(AskedForPrimary{message.at("where").string().value_or("")});
  }
  if (!cmd.equals(kCluster)) return WorkerMessage(UnknownMessage{});
  if (const auto ack = message.at("ack").integer()) {
    return WorkerMessage(Reply{*ack, message.at("accepted").boolean().value_or(false)});
  }
  return parse_act(message);
}

std::optional<Availability> parse_availability(std::string_view line) {
  const auto message = Json::parse(line);
  if (!message) return std::nullopt;
  const Json& type = message->at("type");
  const bool ready = type.equals("nodeinit:ready");
  if (!ready && !type.equals("nodeinit:not-ready")) return std::nullopt;
  return Availability{
      ready, printable(message->at("reason").string().value_or(""), Availability::kLongestReason)};
}

std::string shared_handle_line(const Answer& answer, bool udp) {
  const Json body = answer_body(answer, 0).set("seq", answer.seq);
  return handle(udp ? "dgram.Native" : "net.Native", body).text() + '\n';
}

std::string error_line(const Answer& answer, int error_number) {
  return answer_body(answer, -error_number).set("seq", answer.seq).text() + '\n';
}

std::string round_robin_line(const Answer& answer, const std::optional<SocketName>& name) {
  Json body = answer_body(answer, nullptr);
  if (name) {
    body.set("sockname", Json::object({{"address", name->address},
                                       {"family", name->ipv6 ? "IPv6" : "IPv4"},
                                       {"port", name->port}}));
  }
  return body.set("seq", answer.seq).text() + '\n';
}

std::string new_connection_line(std::string_view key, std::int64_t seq) {
  const Json body =
      Json::object({{"cmd", kCluster}, {"act", "newconn"}, {"key", key}, {"seq", seq}});
  return handle("net.Native", body).text() + '\n';
}

std::string disconnect_line(std::int64_t seq) {
  return Json::object({{"cmd", kCluster}, {"act", "disconnect"}, {"seq", seq}}).text() + '\n';
}

std::string acknowledge_line(std::int64_t ack, std::int64_t seq) {
  return Json::object({{"cmd", kCluster}, {"ack", ack}, {"seq", seq}}).text() + '\n';
}

std::string ping_line() {
  return handle("net.Native", Json::object({{"cmd", "NODE_NODEINIT_PING"}})).text() + '\n';
}

std::string ask_connections_line(bool requests) {
  return Json::object({{"cmd", kConnections}, {"requests", requests}}).text() + '\n';
}

std::string retire_line(const RetireRequest& request) {
  return Json::object({{"cmd", kRetire},
                       {"signal", request.signal},
                       {"fixed", request.fixed},
                       {"stop", request.stop},
                       {"late", request.late},
                       {"stays", request.stays}})
             .text() +
         '\n';
}

std::string handle_ack_line() {
  return Json::object({{"cmd", "NODE_HANDLE_ACK"}}).text() + '\n';
}

}  // namespace ni::wire
