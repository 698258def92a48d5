#include "unit/core/primary/primary_world.h"

#include <algorithm>
#include <array>

using namespace ni;
using namespace ni::primary_test;
namespace act = ni::primary_action;

TEST_CASE("each slot's worker gets the socket of its slot, opened once") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.say(kFirst, query_line(1));
  world.say(kSecond, query_line(1));
  const auto opened = world.take<act::OpenListener>();
  REQUIRE(opened.size() == 1);
  CHECK(opened[0].sockets == 2);
  CHECK(opened[0].reuse_port);
  const auto sent = world.take<act::SendSocket>();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].to == kFirst);
  CHECK(sent[0].socket.socket == 0);
  CHECK(sent[1].to == kSecond);
  CHECK(sent[1].socket.socket == 1);
  CHECK(world.told<event::AskedForSocket>().size() == 2);
}

TEST_CASE("the kernel is told to choose among the sockets of serving workers only") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  CHECK(world.take<act::Steer>().back().sockets == std::vector<std::uint32_t>{0});
  world.serve({kFirst});
  world.listens(kSecond);
  CHECK(world.take<act::Steer>().empty());
  world.serve({kFirst, kSecond});
  CHECK(world.take<act::Steer>().back().sockets == std::vector<std::uint32_t>{0, 1});
  world.primary.disconnect(kFirst);
  world.settle();
  CHECK(world.take<act::Steer>().back().sockets == std::vector<std::uint32_t>{1});
}

TEST_CASE("an error goes to the worker and the next query tries again") {
  World world;
  world.start(kFirst, 0);
  world.open_error = 98;
  world.say(kFirst, query_line(1));
  const auto sent = world.take<act::Send>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].line.find(R"("errno":-98)") != std::string::npos);
  CHECK(world.told<event::AskedForSocket>().empty());
  world.open_error = 0;
  world.say(kFirst, query_line(2));
  CHECK(world.told<event::AskedForSocket>().size() == 1);
  CHECK(world.take<act::OpenListener>().size() == 2);
  CHECK(world.take<act::SendSocket>().size() == 1);
}

TEST_CASE(
    "no second handle is sent before the first is answered, and a refused one is sent again") {
  World world;
  world.start(kFirst, 0);
  world.say(kFirst, query_line(1));
  world.say(kFirst, query_line(2, 3001));
  CHECK(world.take<act::SendSocket>().size() == 1);
  world.say(kFirst, kNack);
  CHECK(world.take<act::SendSocket>().size() == 1);
  world.say(kFirst, kAck);
  CHECK(world.take<act::SendSocket>().size() == 1);
  world.say(kFirst, kNack);
  world.say(kFirst, kNack);
  CHECK(world.take<act::SendSocket>().size() == 2);
  world.say(kFirst, kNack);
  CHECK(world.take<act::SendSocket>().empty());
  CHECK(world.take<act::Send>().back().line.find(R"("errno":-24)") != std::string::npos);
}

TEST_CASE("a parked worker is answered when it is promoted, a draining one never") {
  World world;
  world.start(kFirst, 0, true);
  world.say(kFirst, query_line(1));
  CHECK(world.told<event::AskedForSocket>().size() == 1);
  CHECK(world.take<act::OpenListener>().empty());
  world.primary.promote(kFirst, {1});
  world.settle();
  REQUIRE(world.take<act::SendSocket>().back().socket.socket == 1);
  world.primary.disconnect(kFirst);
  world.say(kFirst, query_line(2, 3001));
  CHECK(world.take<act::OpenListener>().size() == 1);
}

TEST_CASE("what waits on a dead worker's socket is handed to a serving one, one at a time") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  world.listens(kSecond);
  world.serve({kFirst, kSecond});
  const SocketRef orphan{world.take<act::OpenListener>()[0].listener, 0};
  (void)world.take<act::Watch>();
  world.primary.channel_ended(kFirst);
  world.settle();
  const auto watches = world.take<act::Watch>();
  REQUIRE(watches.size() == 1);
  CHECK(watches[0].socket == orphan);
  world.primary.queue_readable(orphan, Instant{});
  world.settle();
  REQUIRE(world.take<act::Accept>().size() == 1);
  world.arrive(orphan, 7);
  world.primary.accepted(orphan, false);
  world.settle();
  const auto given = world.take<act::SendConnection>();
  REQUIRE(given.size() == 1);
  CHECK(given[0].to == kSecond);
  CHECK(world.take<act::Accept>().empty());  // its answer is awaited
  world.say(kSecond, kAck);
  CHECK(world.take<act::Accept>().empty());
  const std::size_t seq = given[0].line.find("\"seq\":") + 6;
  const std::string number = given[0].line.substr(seq, given[0].line.find('}', seq) - seq);
  world.say(kSecond,
            fmt::format(R"({{"cmd":"NODE_CLUSTER","ack":{},"accepted":true,"seq":3}})", number));
  CHECK(world.take<act::DropConnection>().size() == 1);
  CHECK(world.primary.connections(ProgramId{}).slots.at(SlotId{1}).rescued == 1);
  CHECK(world.primary.connections(ProgramId{}).slots.at(SlotId{1}).handed_over == 0);
  CHECK(world.take<act::Accept>().size() == 1);
  world.primary.accepted(orphan, true);
  world.settle();
  CHECK(world.take<act::Watch>().size() == 1);
}

TEST_CASE("a connection given to a worker that dies is given to another") {
  World world(Balance::round_robin);
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.say(kFirst, query_line(1));
  world.say(kSecond, query_line(1));
  CHECK(world.take<act::SendSocket>().empty());
  world.serve({kFirst, kSecond});
  const SocketRef socket{world.take<act::OpenListener>()[0].listener, 0};
  world.primary.queue_readable(socket, Instant{});
  world.settle();
  CHECK(world.take<act::Accept>()[0].at_most == 2);
  world.arrive(socket, 1);
  const Incarnation chosen = world.take<act::SendConnection>().at(0).to;
  world.primary.channel_ended(chosen);
  world.settle();
  const auto again = world.take<act::SendConnection>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].to != chosen);
  CHECK(again[0].connection == ConnectionId{1});
  CHECK(world.take<act::DropConnection>().empty());
}

TEST_CASE("a program that closes its server everywhere stops listening, a drained one does not") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  world.listens(kSecond);
  const std::string close = R"({"cmd":"NODE_CLUSTER","act":"close","key":":3000:4:-1:0","seq":3})";
  world.primary.disconnect(kFirst);
  world.say(kFirst, close);
  CHECK(world.take<act::CloseListener>().empty());
  CHECK(world.told<event::ServerClosed>().size() == 1);
  world.say(kSecond, close);
  CHECK(world.take<act::CloseListener>().size() == 1);
}

TEST_CASE(
    "a worker that breaks the protocol is no longer heard and reported as gone, others stay") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.say(kFirst, R"({"cmd":"NODE_CLUSTER","act":)");
  CHECK(world.take<act::StopListeningTo>().size() == 1);
  CHECK(world.told<event::ChannelClosed>().size() == 1);
  world.say(kFirst, query_line(1));
  CHECK(world.take<act::OpenListener>().empty());
  world.listens(kSecond);
  CHECK(world.told<event::Listening>().size() == 1);
}

TEST_CASE("port 0 is opened once per index and its listening act is recognised") {
  World world;
  world.start(kFirst, 0);
  world.say(kFirst, query_line(1, 0, 0));
  world.say(kFirst, kAck);
  world.say(kFirst, query_line(2, 0, 1));
  CHECK(world.take<act::OpenListener>().size() == 2);
  world.say(kFirst, listening_line(38553));
  REQUIRE(world.told<event::Listening>().size() == 1);
  CHECK(world.told<event::Listening>()[0].tcp);
}

TEST_CASE("client addresses keep their slot while another slot is out") {
  World world(Balance::client_ip, 3);
  world.start(kFirst, 0);
  world.start(kSecond, 2);
  world.listens(kFirst);
  world.listens(kSecond);
  world.serve({kFirst, kSecond});
  const act::Steer steer = world.take<act::Steer>().back();
  CHECK(steer.by_address);
  REQUIRE(steer.sockets.size() == 3);
  CHECK(steer.sockets[0] == 0);
  CHECK(steer.sockets[2] == 2);
}

TEST_CASE("a worker that leaves connections waiting is passed by until it answers") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  world.listens(kSecond);
  world.serve({kFirst, kSecond});
  const ListenerId listener = world.take<act::OpenListener>()[0].listener;
  CHECK_FALSE(world.primary.next_deadline());  // nothing is due at rest
  REQUIRE(world.take<act::Watch>().size() >= 2);
  world.take<act::Steer>();
  world.take<act::Send>();

  world.primary.queue_readable({listener, 0}, world.now);
  CHECK(world.primary.next_deadline() == world.now + Primary::kLookAgain);
  world.look(listener, {1, 0});
  CHECK(world.take<act::Steer>().empty());
  world.look(listener, {1, 0});
  CHECK(world.take<act::Steer>().back().sockets == std::vector<std::uint32_t>{1});
  CHECK(world.take<act::Send>().back().line == wire::ping_line());
  const auto accepts = world.take<act::Accept>();
  REQUIRE(accepts.size() == 1);
  CHECK(accepts[0].socket == SocketRef{listener, 0});
  world.arrive({listener, 0}, 5);
  world.primary.accepted({listener, 0}, true);
  world.settle();
  CHECK(world.take<act::SendConnection>().at(0).to == kSecond);

  world.now += 90ms;
  world.say(kFirst, kNack);
  CHECK(world.take<act::Steer>().back().sockets == std::vector<std::uint32_t>{0, 1});
  CHECK(world.primary.loop_delay(kFirst)->last() == 90ms);

  for (unsigned i = 0; i < Primary::kLooksWhileEmpty; ++i) world.look(listener, {0, 0});
  CHECK_FALSE(world.primary.next_deadline());
  CHECK(world.take<act::Watch>().size() == 1);  // the one that fired; the other still waits
}

TEST_CASE("a worker that takes from its queue, or has no idle neighbour, is left alone") {
  World world;
  world.serve_two();
  const ListenerId listener = world.take<act::OpenListener>()[0].listener;
  world.take<act::Steer>();
  world.primary.queue_readable({listener, 0}, world.now);
  for (const unsigned length : {5U, 4U, 3U, 1U}) world.look(listener, {length, 0});
  for (const unsigned other : {1U, 0U, 1U, 0U}) world.look(listener, {2, other});
  CHECK(world.take<act::Steer>().empty());
  world.look(listener, {2, 0});
  CHECK(world.take<act::Steer>().size() == 1);
}

TEST_CASE("where nobody is found blocked for long, the looks become seldom") {
  World world;
  world.serve_two();
  const ListenerId listener = world.take<act::OpenListener>()[0].listener;
  const auto pause_after = [&](unsigned looks) {
    for (unsigned i = 0; i < looks; ++i) world.look(listener, {1, 1});
    return *world.primary.next_deadline() - world.now;
  };
  world.primary.queue_readable({listener, 0}, world.now);
  CHECK(pause_after(1) == Primary::kLookEvery);
  CHECK(pause_after(Primary::kLooksInVain) == 2 * Primary::kLookEvery);
  CHECK(pause_after(10 * Primary::kLooksInVain) == 4 * Primary::kLookEvery);

  const auto answer_after = [&](Duration time) {
    world.take<act::Steer>();
    do {
      world.look(listener, {1, 0});
    } while (world.take<act::Steer>().empty());
    world.now += time;
    world.say(kFirst, kNack);
  };
  answer_after(1ms);  // it only was slow
  CHECK(pause_after(1) == 4 * Primary::kLookEvery);
  answer_after(50ms);
  CHECK(pause_after(1) == Primary::kLookEvery);
}

TEST_CASE("when all are behind, connections stay where they are") {
  World world;
  world.start(kFirst, 0);
  world.start(kSecond, 1);
  world.listens(kFirst);
  world.listens(kSecond);
  world.serve({kFirst, kSecond});
  const ListenerId listener = world.take<act::OpenListener>()[0].listener;
  world.take<act::Steer>();
  world.primary.queue_readable({listener, 0}, world.now);
  for (int i = 0; i < 5; ++i) world.look(listener, {1, 1});
  CHECK(world.take<act::Accept>().empty());
  CHECK(world.take<act::Steer>().empty());
}

TEST_CASE("a worker that leaves by itself is acknowledged, and not told to disconnect as well") {
  World world;
  world.start(kFirst, 0);
  world.listens(kFirst);
  world.serve({kFirst});
  world.take<act::Send>();
  world.say(kFirst, R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":7})");
  world.primary.disconnect(kFirst);
  world.settle();
  const auto sent = world.take<act::Send>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].line.find("\"ack\":7") != std::string::npos);
}

TEST_CASE("at the container's stop workers are disconnected once their queues are empty") {
  World world;
  world.serve_two();
  const auto look = [&](bool waiting) {
    world.now += Primary::kSettleEvery;
    world.primary.on_deadline(world.now);
    world.settle();
    for (const auto& asked : world.take<act::LookAtQueues>()) {
      world.primary.looked(asked.listener, std::array{waiting ? 1U : 0U, 0U});
      world.settle();
    }
  };
  world.primary.stop_accepting(world.now);
  world.primary.disconnect(kFirst);
  world.primary.disconnect(kSecond);
  world.settle();
  CHECK(world.take<act::IgnoreNew>().size() == 1);
  world.take<act::Send>();

  for (int i = 0; i < 5; ++i) look(true);
  CHECK(world.take<act::Send>().empty());
  CHECK(world.take<act::CloseListener>().empty());

  for (unsigned i = 0; i <= Primary::kFewestSettles; ++i) look(false);
  const auto sent = world.take<act::Send>();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].line.find("disconnect") != std::string::npos);

  // Ours is the last to be closed; whoever is still starting gets no socket any more.
  CHECK(world.take<act::OpenListener>().size() == 1);
  world.start({3}, 0);
  world.say({3}, query_line(1));
  CHECK(world.take<act::OpenListener>().empty());
  world.primary.channel_ended(kFirst);
  world.settle();
  CHECK(world.take<act::CloseListener>().empty());
  world.primary.channel_ended(kSecond);
  world.now += Primary::kSettleEvery;
  world.primary.on_deadline(world.now);
  world.settle();
  CHECK(world.take<act::CloseListener>().size() == 1);
}

TEST_CASE("a queue that does not get empty delays the stop for some seconds at most") {
  World world;
  world.start(kFirst, 0);
  world.listens(kFirst);
  world.serve({kFirst});
  world.take<act::Send>();
  world.primary.stop_accepting(world.now);
  world.primary.disconnect(kFirst);
  world.settle();
  unsigned looks = 0;
  while (world.take<act::Send>().empty()) {
    REQUIRE(++looks <= Primary::kMostSettles);
    for (const auto& asked : world.take<act::LookAtQueues>()) {
      world.primary.looked(asked.listener, std::array{1U, 0U});
    }
    world.now += Primary::kSettleEvery;
    world.primary.on_deadline(world.now);
    world.settle();
  }
  CHECK(looks >= Primary::kMostSettles);
}

TEST_CASE("a worker is asked for requests as soon as it is online, and may tell of them unasked") {
  World world;
  world.primary.set_program({0}, {.slots = 2, .counts_connections = true, .counts_requests = true});
  world.serve_two();
  (void)world.take<act::Send>();
  world.say(kFirst, R"({"cmd":"NODE_CLUSTER","act":"online","seq":7})");
  CHECK(world.take<act::Send>().empty());  // it owes an answer still
  CHECK_FALSE(world.primary.handles_usr1(kFirst));
  world.say(kFirst, R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":1,"asked":false,"usr1":true})");
  CHECK(world.primary.handles_usr1(kFirst));
  world.say(kFirst, R"({"cmd":"NODE_CLUSTER","act":"online","seq":8})");
  CHECK(world.take<act::Send>().empty());
  world.say(kFirst, R"({"cmd":"NODE_NODEINIT_CONNECTIONS","count":1,"asked":true,"requests":{}})");
  const auto told = world.take<act::Counted>();
  REQUIRE(told.size() == 2);
  CHECK_FALSE(told[0].says.asked);
  CHECK(told[1].says.signals.requests);
  world.say(kFirst, R"({"cmd":"NODE_CLUSTER","act":"online","seq":9})");
  const auto sent = world.take<act::Send>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].line == "{\"cmd\":\"NODE_NODEINIT_CONNECTIONS\",\"requests\":true}\n");
}

TEST_CASE("a worker says what it accepted by itself: all but what it was given") {
  constexpr std::string_view kQuestion = R"({"cmd":"NODE_NODEINIT_CONNECTIONS","requests":false})";
  const auto answer = [](unsigned count) {
    return fmt::format(R"({{"cmd":"NODE_NODEINIT_CONNECTIONS","count":{}}})", count);
  };
  World world;
  CHECK_FALSE(world.primary.ask_connections(kFirst));
  world.primary.set_program({0}, {.slots = 2, .counts_connections = true});
  world.serve_two();
  const auto sent = world.take<act::Send>();
  CHECK(std::ranges::count_if(sent, [&](const auto& one) {
          return one.line.starts_with(kQuestion);
        }) == 2);  // each when it listens
  CHECK(world.primary.ask_connections(kFirst));
  world.settle();
  CHECK(world.take<act::Send>().empty());  // it owes an answer still
  world.say(kFirst, answer(5));
  CHECK(world.take<act::Counted>().size() == 1);

  const SocketRef socket{world.take<act::OpenListener>()[0].listener, 1};
  world.arrive(socket, 7);
  const auto given = world.take<act::SendConnection>();
  REQUIRE(given.size() == 1);
  const Incarnation to = given[0].to;
  const unsigned before = to == kFirst ? 5 : 0;
  world.say(to, kAck);
  const std::size_t seq = given[0].line.find("\"seq\":") + 6;
  world.say(to, fmt::format(R"({{"cmd":"NODE_CLUSTER","ack":{},"accepted":true,"seq":3}})",
                            given[0].line.substr(seq, given[0].line.find('}', seq) - seq)));
  world.say(to, answer(before + 3));
  const ConnectionCounters& counted = world.primary.connections({0});
  CHECK(counted.knows_accepted);
  CHECK(counted.slots.at({to.value - 1}).accepted == before + 2);
  CHECK(counted.slots.at({to.value - 1}).rescued == 1);
  world.say(to, answer(1));  // it cannot have forgotten: nothing is taken away
  CHECK(counted.slots.at({to.value - 1}).accepted == before + 2);
  world.primary.disconnect(kFirst);
  CHECK_FALSE(world.primary.ask_connections(kFirst));
}
