#include "loop/channel.h"

#include <dirent.h>

#include <array>
#include <memory>

#include "support/catch.h"
#include "sys/sockets.h"

using namespace ni;
using namespace ni::loop;

namespace {

unsigned open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  unsigned count = 0;
  while (::readdir(folder.get()) != nullptr) ++count;
  return count;
}

// A channel on a loop of its own, and the worker's end of it.
struct World {
  uv_loop_t loop{};
  sys::UniqueFd worker;
  std::vector<wire::IpcLine> lines;
  bool ended = false;
  std::unique_ptr<Channel> channel;

  World() {
    uv_loop_init(&loop);
    sys::SocketPair pair = *sys::make_socket_pair();
    worker = std::move(pair.second);
    channel = std::make_unique<Channel>(
        &loop, std::move(pair.first),
        [this](std::span<const wire::IpcLine> come) {
          lines.insert(lines.end(), come.begin(), come.end());
        },
        [this] { ended = true; });
  }
  ~World() {
    channel.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) uv_run(&loop, UV_RUN_NOWAIT);
  }
  // What the worker reads, and how many descriptors came with it.
  std::string read_all(std::size_t& descriptors) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (int i = 0; i < 10'000; ++i) {
      const Result<sys::Received> received = sys::receive(worker.get(), buffer);
      REQUIRE(received);
      text.append(buffer.data(), received->bytes);
      descriptors += received->descriptors.size();
      turn(1);
      if (received->bytes == 0) break;
    }
    return text;
  }
};

}  // namespace

TEST_CASE("descriptors that a worker sends are closed, wherever in its stream they ride") {
  World world;
  const unsigned before = open_descriptors();
  for (const char* piece :
       {"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":1}\n", "{\"cmd\":\"NO",
        "DE_HANDLE\"}", "\n", "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n",
        "\"user\"\n"}) {
    for (int i = 0; i < 3; ++i) {
      (void)sys::send(world.worker.get(), i == 1 ? "7\n" : piece, world.worker.get());
      world.turn();
    }
  }
  CHECK(open_descriptors() == before);
  CHECK_FALSE(world.ended);
  CHECK(world.lines.size() > 3);
}

TEST_CASE(
    "what a worker does not read waits in order, with its descriptors, and then it is not read "
    "either") {
  World world;
  const std::string block(10'000, 'x');
  std::string expected;
  for (int i = 0; i < 60; ++i) {
    const std::string line = std::to_string(i) + block + '\n';
    world.channel->send(line, i % 10 == 0 ? world.worker.get() : -1);
    expected += line;
  }
  (void)sys::send(world.worker.get(), "\"ready\"\n");
  world.turn();
  CHECK(world.lines.empty());
  std::size_t descriptors = 0;
  CHECK(world.read_all(descriptors) == expected);
  CHECK(descriptors == 6);
  world.turn();
  CHECK(world.lines.size() == 1);
  CHECK(world.channel->dropped_lines() == 0);
}

TEST_CASE("a worker that never reads costs no more than the bound") {
  World world;
  const unsigned before = open_descriptors();
  const std::string line = std::string(50'000, 'x') + '\n';
  for (int i = 0; i < 100; ++i) world.channel->send(line, world.worker.get());
  CHECK(world.channel->dropped_lines() > 50);
  CHECK(open_descriptors() <= before + Channel::kMostWaiting / line.size() + 1);
}

TEST_CASE("the end of a channel is told once, after its last lines") {
  World world;
  (void)sys::send(world.worker.get(), "\"ready\"\n");
  world.worker.reset();
  world.turn();
  CHECK(world.lines.size() == 1);
  CHECK(world.ended);
  world.channel->send("late\n");
  world.turn();
}

TEST_CASE("ignored input is dropped, and the end is still told") {
  World world;
  world.channel->ignore_input();
  (void)sys::send(world.worker.get(), "\"ready\"\n");
  world.turn();
  CHECK(world.lines.empty());
  world.worker.reset();
  world.turn();
  CHECK(world.ended);
}

TEST_CASE("a descriptor goes with the first byte of its line, once, however the line is torn") {
  World world;
  const std::string line(3'000'000, 'x');  // more than any socket takes at once
  world.channel->send(line + "\n", world.worker.get());
  std::size_t descriptors = 0;
  CHECK(world.read_all(descriptors).size() == line.size() + 1);
  CHECK(descriptors == 1);
}
