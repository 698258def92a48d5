#include "wire/cluster_messages.h"

#include "support/catch.h"

using namespace ni::wire;

namespace {

template <class Message>
Message parsed(std::string_view line) {
  ni::Result<WorkerMessage> message = parse_worker_message(line);
  REQUIRE(message);
  REQUIRE(std::holds_alternative<Message>(*message));
  return std::get<Message>(*message);
}

}  // namespace

// The lines below were recorded from Node 22.23.
TEST_CASE("what a worker asks for is read as Node wrote it") {
  const auto plain = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":3000,)"
      R"("addressType":4,"flags":0,"backlog":0,"seq":1})");
  CHECK(plain.seq == 1);
  CHECK(plain.query.type == ListenQuery::Type::tcp4);
  CHECK_FALSE(plain.query.address);
  CHECK(plain.query.port == 3000);
  CHECK(listen_key(plain.query) == ":3000:4:-1:0");

  const auto pipe = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"/abs/u.sock","port":-1,)"
      R"("addressType":-1,"backlog":0,"readableAll":true,"writableAll":true,"seq":1})");
  CHECK(pipe.query.type == ListenQuery::Type::pipe);
  CHECK(pipe.query.address == "/abs/u.sock");
  CHECK(pipe.query.readable_by_all);
  CHECK(pipe.query.writable_by_all);

  const auto inherited = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":null,)"
      R"("addressType":null,"fd":7,"backlog":0,"seq":1})");
  CHECK(inherited.query.type == ListenQuery::Type::descriptor);
  CHECK(inherited.query.descriptor == 7);

  const auto udp = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"0.0.0.0","port":3000,)"
      R"("addressType":"udp4","fd":-1,"flags":0,"seq":1})");
  CHECK(udp.query.is_udp());
  const auto from_environment = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"0.0.0.0","port":"5353",)"
      R"("addressType":"udp4","fd":-1,"flags":0,"seq":1})");
  CHECK(from_environment.query.port == 5353);

  const auto tls = parsed<QueryServerAct>(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":{"ticketKeys":"00ff"},"address":"::",)"
      R"("port":443,"addressType":6,"flags":1,"backlog":false,"seq":9})");
  CHECK(tls.query.data.text() == R"({"ticketKeys":"00ff"})");
  CHECK(tls.query.flags == kIpv6Only);
  CHECK(tls.query.backlog == 0);
  CHECK(tls.query.by_deno);
  CHECK_FALSE(plain.query.by_deno);
}

TEST_CASE("the other acts of a worker") {
  parsed<OnlineAct>(R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})");
  const auto listening = parsed<ListeningAct>(
      R"({"cmd":"NODE_CLUSTER","act":"listening","index":0,"data":null,"address":null,"port":38553,)"
      R"("addressType":4,"flags":0,"backlog":0,"seq":2})");
  CHECK(listening.query.port == 38553);
  CHECK(parsed<CloseAct>(R"({"cmd":"NODE_CLUSTER","act":"close","key":"k","seq":3})").key == "k");
  CHECK(parsed<ExitedAfterDisconnectAct>(
            R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":4})")
            .seq == 4);
  const auto reply = parsed<Reply>(R"({"cmd":"NODE_CLUSTER","ack":7,"accepted":true,"seq":5})");
  CHECK(reply.ack == 7);
  CHECK(reply.accepted);
  parsed<HandleAck>(R"({"cmd":"NODE_HANDLE_ACK"})");
  parsed<HandleNack>(R"({"cmd":"NODE_HANDLE_NACK"})");
  parsed<UnknownMessage>(R"({"cmd":"NODE_bogus"})");
  parsed<UnknownMessage>(R"({"cmd":"NODE_CLUSTER","act":"of a later Node"})");
}

TEST_CASE("an act that lacks what it must have is an error") {
  CHECK_FALSE(parse_worker_message(R"({"cmd":"NODE_CLUSTER")"));
  CHECK_FALSE(parse_worker_message(R"({"cmd":"NODE_CLUSTER","act":"close"})"));
  CHECK_FALSE(parse_worker_message(R"({"cmd":"NODE_NODEINIT_CONNECTIONS"})"));
  CHECK_FALSE(parse_worker_message(R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":-1})"));
  CHECK_FALSE(parse_worker_message(R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1})"));
  CHECK_FALSE(parse_worker_message(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":null,"port":1,"addressType":4})"));
  CHECK_FALSE(parse_worker_message(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":null,"addressType":-1,"seq":1})"));
}

TEST_CASE("the primary's lines are those that Node's own primary writes") {
  const Answer answer{.key = ":3000:4:-1:0", .ack = 1, .seq = 1, .data = {}};
  CHECK(shared_handle_line(answer, false) ==
        R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,)"
        R"("key":":3000:4:-1:0","ack":1,"data":null,"seq":1}})"
        "\n");
  CHECK(error_line(answer, 98) ==
        R"({"cmd":"NODE_CLUSTER","errno":-98,"key":":3000:4:-1:0","ack":1,"data":null,"seq":1})"
        "\n");
  CHECK(round_robin_line(answer, SocketName{"::", true, 3000}) ==
        R"({"cmd":"NODE_CLUSTER","errno":null,"key":":3000:4:-1:0","ack":1,"data":null,)"
        R"("sockname":{"address":"::","family":"IPv6","port":3000},"seq":1})"
        "\n");
  CHECK(new_connection_line("k", 7) ==
        R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn",)"
        R"("key":"k","seq":7}})"
        "\n");
  CHECK(disconnect_line(9) == "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":9}\n");
  CHECK(acknowledge_line(4, 10) == "{\"cmd\":\"NODE_CLUSTER\",\"ack\":4,\"seq\":10}\n");
  CHECK(ask_connections_line(true) ==
        "{\"cmd\":\"NODE_NODEINIT_CONNECTIONS\",\"requests\":true}\n");
  CHECK(parsed<ConnectionsCounted>(R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":7})").count == 7);
  CHECK(parsed<ConnectionsCounted>(R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":7,"usr1":true})")
            .handles_usr1);
  CHECK(handle_ack_line() == "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
}

TEST_CASE("what a program says of its readiness") {
  const auto cold = parse_availability(R"({"reason":"cold\ncache","type":"nodeinit:not-ready"})");
  REQUIRE(cold);
  CHECK_FALSE(cold->ready);
  CHECK(cold->reason == "cold\\x0acache");
  const auto warm = parse_availability(R"({"type":"nodeinit:ready"})");
  REQUIRE(warm);
  CHECK(warm->ready);
  CHECK(warm->reason.empty());
  CHECK(parse_availability(R"({"type":"nodeinit:not-ready","reason":{}})")->reason.empty());
  const std::string many(1000, 'x');
  CHECK(
      parse_availability(R"({"type":"nodeinit:ready","reason":")" + many + "\"}")->reason.size() <=
      Availability::kLongestReason + 3);  // "…"
  for (const char* const other :
       {"", "{}", "7", R"({"type":"nodeinit:steady"})", R"({"type":["nodeinit:ready"]})",
        R"({"reason":"nodeinit:ready"})", R"({"type":"nodeinit:ready")"}) {
    CHECK_FALSE(parse_availability(other));
  }
}
