#include "app/cluster/control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "support/catch.h"
#include "sys/local_sockets.h"
#include "sys/sockets.h"

using namespace ni;
using namespace ni::app;

namespace {

// A control socket with a runtime that notes what it was asked.
struct Bench {
  uv_loop_t loop{};
  StatusReport report;
  std::vector<Event> posted;
  std::vector<std::pair<int, Signal>> signals_sent;
  std::string reload_refusal;
  std::string reload_besides;
  int have_left = 0;
  std::string address = "@nodeinit-test/" + std::to_string(::getpid());
  std::unique_ptr<Control> control;

  Bench() {
    REQUIRE(uv_loop_init(&loop) == 0);
    report.programs.push_back({.name = "web",
                               .workers = 2,
                               .stage = "serving",
                               .slots = {},
                               .workers_reason = {},
                               .memory_per_worker = {},
                               .heap = {}});
    for (unsigned i = 0; i < 2; ++i) {
      SlotStatus slot;
      slot.slot = i;
      slot.state = "ready";
      slot.pid = Pid::from(100 + static_cast<int>(i));
      report.programs[0].slots.push_back(slot);
    }
    auto opened = Control::open(
        &loop, address,
        {.status = [this] { return report; },
         .post = [this](Event event) { posted.push_back(std::move(event)); },
         .reload = [this]() -> Result<std::string> {
           if (!reload_refusal.empty()) {
             return Error{
                 .operation = "reload", .subject = {}, .code = 0, .reason = reload_refusal};
           }
           return reload_besides;
         },
         .send_signal = [this](Pid pid,
                               Signal signal) { signals_sent.emplace_back(pid.value(), signal); },
         .is_healthy = [](bool live) { return live; },
         .all_have_left = [this] { ++have_left; }});
    REQUIRE(opened);
    control = std::move(*opened);
  }
  ~Bench() {
    control.reset();
    turn();
    REQUIRE(uv_loop_close(&loop) == 0);
  }
  void turn() {
    for (int i = 0; i < 8; ++i) {
      uv_run(&loop, UV_RUN_NOWAIT);
    }
  }
  sys::UniqueFd connect() {
    auto fd = sys::connect_local(address);
    REQUIRE(fd);
    return std::move(*fd);
  }
  std::string ask(int fd, std::string_view bytes) {
    (void)sys::send(fd, bytes);
    turn();
    std::array<char, 65536> buffer{};
    const auto received = sys::receive(fd, buffer);
    return received ? std::string(buffer.data(), received->bytes) : "";
  }
  wire::ControlReply request(const wire::ControlRequest& request) {
    const sys::UniqueFd fd = connect();
    auto reply = wire::parse_control_reply(ask(fd.get(), wire::to_line(request)));
    REQUIRE(reply);
    return *reply;
  }
};

}  // namespace

TEST_CASE("status tells programs and slots") {
  Bench bench;
  const auto reply = bench.request({.verb = wire::ControlVerb::status});
  CHECK(reply.ok);
  CHECK(reply.data.at("programs").at(0).at("name").equals("web"));
  CHECK(reply.data.at("programs").at(0).at("slots").size() == 2);
}

TEST_CASE("requests become events for the supervisor") {
  Bench bench;
  CHECK(bench.request({.verb = wire::ControlVerb::scale, .amount = 1, .relative = true}).message ==
        "web: 3 workers wanted");
  CHECK(std::get<event::TargetChanged>(bench.posted.at(0)).workers == 3);
  CHECK(bench.request({.verb = wire::ControlVerb::scale, .amount = -9, .relative = true}).message ==
        "web: 1 worker wanted");
  CHECK(bench.request({.verb = wire::ControlVerb::restart, .slot = 1}).ok);
  CHECK(std::get<event::RestartAsked>(bench.posted.at(2)).slot == SlotId{1});
  CHECK(bench.request({.verb = wire::ControlVerb::stop}).ok);
  CHECK_FALSE(std::get<event::StopAsked>(bench.posted.at(3)).quick);
  CHECK(bench.request({.verb = wire::ControlVerb::signal, .slot = 1, .signal = signals::usr2})
            .message == "SIGUSR2 sent to 1 worker");
  CHECK(bench.signals_sent == std::vector<std::pair<int, Signal>>{{101, signals::usr2}});
}

TEST_CASE("what cannot be done is refused with a reason") {
  Bench bench;
  CHECK(bench.request({.verb = wire::ControlVerb::restart, .slot = 7}).message ==
        "web has no slot 7");
  CHECK(bench.request({.verb = wire::ControlVerb::scale, .program = "wbe", .amount = 1}).message ==
        "there is no program \"wbe\": web");
  bench.report.programs.push_back(bench.report.programs[0]);
  bench.report.programs[1].name = "queue";
  CHECK(bench.request({.verb = wire::ControlVerb::scale, .amount = 1}).message ==
        "several programs run here, name one with --program: web, queue");
  CHECK(bench.posted.empty());
}

TEST_CASE("health answers for the container and for the service") {
  Bench bench;
  CHECK(bench.request({.verb = wire::ControlVerb::health, .live = true}).ok);
  CHECK_FALSE(bench.request({.verb = wire::ControlVerb::health}).ok);
}

TEST_CASE("reload is answered when the rollout has ended, and events are told meanwhile") {
  Bench bench;
  const sys::UniqueFd fd = bench.connect();
  CHECK(bench.ask(fd.get(), wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::reload}))
            .empty());
  bench.control->tell("info", "worker_ready", "slot 0 is ready");
  CHECK(bench.ask(fd.get(), "") ==
        "{\"nodeinit\":1,\"ok\":true,\"more\":true,\"message\":\"slot 0 is "
        "ready\",\"data\":{\"level\":"
        "\"info\",\"event\":\"worker_ready\"}}\n");
  bench.control->rollout_ended(ProgramId{}, false, "the new worker exited with 1");
  CHECK(bench.ask(fd.get(), "") ==
        "{\"nodeinit\":1,\"ok\":false,\"message\":\"reload failed: the new worker exited with "
        "1\"}\n");
  bench.reload_refusal = "the configuration is wrong";
  CHECK(bench.request({.verb = wire::ControlVerb::reload}).message ==
        "cannot reload: the configuration is wrong");
}

TEST_CASE("a reload of several programs is answered when the last rollout has ended") {
  Bench bench;
  bench.report.programs.push_back(bench.report.programs[0]);
  bench.report.programs[1].name = "queue";
  const sys::UniqueFd fd = bench.connect();
  (void)bench.ask(fd.get(), wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::reload}));
  bench.control->rollout_ended(ProgramId{1}, true, {});
  CHECK(bench.ask(fd.get(), "").empty());
  bench.control->rollout_ended(ProgramId{0}, true, {});
  CHECK(bench.ask(fd.get(), "").find("\"ok\":true,\"message\":\"reloaded\"") != std::string::npos);
}

TEST_CASE("a stop is answered when the last worker has ended, and its reader is waited for") {
  Bench bench;
  sys::UniqueFd fd = bench.connect();
  CHECK(bench.ask(fd.get(), wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::stop}))
            .find("\"more\":true,\"message\":\"stopping\"") != std::string::npos);
  CHECK_FALSE(bench.control->is_being_read(Instant{}));
  bench.control->drained(Instant{});
  CHECK(bench.ask(fd.get(), "").find("stopped: every worker has ended") != std::string::npos);
  CHECK(bench.control->is_being_read(Instant{} + 100ms));
  CHECK_FALSE(bench.control->is_being_read(Instant{} + 1s));
  fd.reset();
  bench.turn();
  CHECK_FALSE(bench.control->is_being_read(Instant{} + 100ms));
  CHECK(bench.have_left == 1);
}

TEST_CASE("what a reload could not apply is told with its end") {
  Bench bench;
  bench.reload_besides = "not to be had: http";
  const sys::UniqueFd fd = bench.connect();
  (void)bench.ask(fd.get(), wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::reload}));
  bench.control->rollout_ended(ProgramId{}, true, {});
  CHECK(bench.ask(fd.get(), "") ==
        "{\"nodeinit\":1,\"ok\":true,\"message\":\"reloaded; not to be had: http\"}\n");
}

TEST_CASE("garbage gets a reason, an endless line is cut off") {
  Bench bench;
  const sys::UniqueFd fd = bench.connect();
  CHECK(bench.ask(fd.get(), "GET / HTTP/1.1\n").starts_with("{\"nodeinit\":1,\"ok\":false,"));
  (void)bench.ask(fd.get(), std::string(3000, 'x'));
  (void)bench.ask(fd.get(), std::string(3000, 'x'));
  CHECK(bench.control->server().clients() == 0);
}

TEST_CASE("a client that does not read is dropped, and too many clients push out the oldest") {
  Bench bench;
  const sys::UniqueFd deaf = bench.connect();
  const std::string follow = wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::events});
  (void)sys::send(deaf.get(), follow);
  bench.turn();
  const std::string noise(64 * 1024, 'n');
  for (int i = 0; i < 200 && bench.control->server().clients() > 0; ++i) {
    bench.control->tell("info", "noise", noise);
  }
  CHECK(bench.control->server().clients() == 0);

  std::vector<sys::UniqueFd> crowd;
  for (std::size_t i = 0; i < loop::LocalServer::kMostSilent + 8; ++i) {
    crowd.push_back(bench.connect());
    bench.turn();
  }
  CHECK(bench.control->server().clients() == loop::LocalServer::kMostSilent);
  CHECK(bench.request({.verb = wire::ControlVerb::status}).ok);
  for (std::size_t i = 0; i < loop::LocalServer::kMostClients + 8; ++i) {
    crowd.push_back(bench.connect());
    (void)bench.ask(crowd.back().get(), follow);
  }
  CHECK(bench.control->server().clients() ==
        loop::LocalServer::kMostSilent + loop::LocalServer::kMostClients);
  CHECK(bench.request({.verb = wire::ControlVerb::status}).ok);
}

TEST_CASE("who has asked is not pushed out by those who ask nothing") {
  Bench bench;
  const sys::UniqueFd waiting = bench.connect();
  (void)bench.ask(waiting.get(),
                  wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::reload}));
  std::vector<sys::UniqueFd> crowd;
  for (std::size_t i = 0; i < 2 * loop::LocalServer::kMostSilent; ++i) {
    crowd.push_back(bench.connect());
    bench.turn();
  }
  bench.control->rollout_ended(ProgramId{}, true, "");
  const auto reply = wire::parse_control_reply(bench.ask(waiting.get(), ""));
  REQUIRE(reply);
  CHECK(reply->ok);
}

TEST_CASE("who has asked before it is accepted is answered with that") {
  Bench bench;
  const std::string question =
      wire::to_line(wire::ControlRequest{.verb = wire::ControlVerb::health, .live = true});
  std::vector<sys::UniqueFd> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(bench.connect());
    REQUIRE(sys::send(clients.back().get(), question));
  }
  std::size_t answered = 0;
  for (std::size_t turns = 1; turns <= clients.size(); ++turns) {
    uv_run(&bench.loop, UV_RUN_NOWAIT);
    answered = 0;
    for (const sys::UniqueFd& client : clients) {
      std::array<char, 1> first{};
      answered += ::recv(client.get(), first.data(), 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? 1 : 0;
    }
    CHECK(answered >= turns);
  }
  CHECK(answered == clients.size());
}

TEST_CASE("a path is a socket for its owner alone, replaces a dead one, and is gone afterwards") {
  uv_loop_t loop{};
  REQUIRE(uv_loop_init(&loop) == 0);
  const std::string path = "/tmp/nodeinit-control-test-" + std::to_string(::getpid());
  {
    auto stale = sys::listen_local(path);
    REQUIRE(stale);
    CHECK(sys::listen_local(path).error().code == EADDRINUSE);
  }
  {
    auto control = Control::open(&loop, path, {});
    REQUIRE(control);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(S_ISSOCK(status.st_mode));
    CHECK((status.st_mode & 0777U) == 0600U);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
  CHECK(sys::listen_local("/" + std::string(108, 'x')).error().code == ENAMETOOLONG);
  uv_run(&loop, UV_RUN_NOWAIT);
  CHECK(uv_loop_close(&loop) == 0);
}
