#include "app/ctl/inspector.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <vector>

#include "app/cluster/hang_examiner.h"
#include "base/signal.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/listening.h"
#include "sys/read_file.h"
#include "sys/signals.h"
#include "sys/sockets.h"
#include "wire/json.h"

namespace ni::app {
namespace {

using wire::Json;

constexpr Duration kBetweenTries = 20ms;
constexpr Duration kUntilNote = 2s;
constexpr Duration kAnswerOfThread = 5s;  // of the inspector's own, which nothing blocks
constexpr Duration kTurning = 1s;
constexpr Duration kClosing = 3s;
constexpr Duration kAskAgain = 1s;  // another client may just have closed it

Error failure(std::string reason) {
  return Error{
      .operation = "inspect", .subject = "the worker", .code = 0, .reason = std::move(reason)};
}

// proc_pid_status(5): a mask in hexadecimal digits.
std::optional<bool> catches(Pid pid, Signal signal) {
  const auto status = sys::read_file(fmt::format("/proc/{}/status", pid.value()));
  constexpr std::string_view kName = "\nSigCgt:\t";
  const std::size_t at = status ? status->find(kName) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  const std::string_view digits = first_line(std::string_view(*status).substr(at + kName.size()));
  std::uint64_t mask = 0;
  (void)std::from_chars(digits.begin(), digits.end(), mask, 16);
  return (mask >> static_cast<unsigned>(signal.number() - 1) & 1U) != 0;
}

// Whether the process is the one that listens there; nullopt: that may not be seen.
std::optional<bool> listens(Pid pid, int port) {
  const std::vector<std::uint64_t> own = sys::sockets_of(pid);
  std::optional<bool> found;
  for (const sys::ListeningSocket& socket : sys::listening_sockets()) {
    if (socket.port != port || own.empty()) continue;
    found = found.value_or(false) || std::ranges::find(own, socket.inode) != own.end();
  }
  return found;
}

std::string what_it_does(Pid pid) {
  const auto first = look_at(pid);
  (void)::poll(nullptr, 0, HangExaminer::kBetweenLooks / 1ms);
  const auto second = look_at(pid);
  return first && second ? diagnose(*first, *second, HangExaminer::kBetweenLooks).text
                         : std::string("it is gone");
}

}  // namespace

// Something may be read from `fd`, or the time is over. Error: a signal.
Result<void> Inspector::pause(Duration duration, int fd) {
  std::array<::pollfd, 2> polls = {::pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                   ::pollfd{.fd = fd, .events = POLLIN, .revents = 0}};
  const auto until = sys::now() + duration;
  for (;;) {
    const Duration left = std::max<Duration>(0s, until - sys::now());
    (void)::poll(polls.data(), polls.size(), static_cast<int>(left / 1ms) + 1);
    if (const auto signal = sys::read_signal(signals_.get());
        signal && signal->signal != signals::winch && signal->signal != signals::pipe) {
      return failure("stopped by " + to_string(signal->signal));
    }
    if (polls[1].revents != 0 || sys::now() >= until) return {};
  }
}

Result<void> Inspector::wait(Duration duration) {
  return pause(duration, -1);
}

Result<void> Inspector::send(std::string_view bytes) {
  const auto until = sys::now() + kAnswerOfThread;
  while (!bytes.empty()) {
    NI_TRY(const std::size_t sent, sys::send(socket_.get(), bytes));
    bytes.remove_prefix(sent);
    if (sent == 0 && sys::now() >= until) return failure("its inspector reads nothing");
    if (sent == 0) (void)::poll(nullptr, 0, 1);  // a few hundred bytes: hardly ever
  }
  return {};
}

Result<void> Inspector::receive(Duration silence) {
  if (auto paused = pause(silence, socket_.get()); !paused) return paused;
  std::array<char, 65536> buffer{};
  NI_TRY(const sys::Received received, sys::receive(socket_.get(), buffer));
  ended_ = received.end;
  if (received.end) return failure("its inspector has ended the connection");
  if (received.bytes == 0) {
    return failure(fmt::format("its main thread has not answered for {}: {}",
                               format_duration(silence), what_it_does(worker_.pid)));
  }
  stream_.feed({buffer.data(), received.bytes});
  return {};
}

bool Inspector::connect(int port) {
  const auto address = sys::SocketAddress::ip("127.0.0.1", static_cast<std::uint16_t>(port));
  auto made = sys::make_socket(AF_INET, SOCK_STREAM);
  if (!made || !address) return false;
  // Within one machine a connection is made at once or not at all.
  const auto connected = sys::connect(made->get(), *address);
  if (!connected && connected.error().code == EINPROGRESS) {
    ::pollfd poll{.fd = made->get(), .events = POLLOUT, .revents = 0};
    (void)::poll(&poll, 1, 1000);
    if ((poll.revents & (POLLERR | POLLHUP)) != 0 || poll.revents == 0) return false;
  } else if (!connected) {
    return false;
  }
  socket_ = std::move(*made);
  stream_ = wire::InspectorStream();
  ended_ = false;
  return true;
}

// Its only target becomes our session.
Result<void> Inspector::attach(int port) {
  if (auto sent = send(wire::inspector_get(port, "/json/list")); !sent) return sent;
  std::optional<std::string> list;
  for (;;) {
    NI_TRY(list, stream_.body());
    if (list) break;
    if (auto received = receive(kAnswerOfThread); !received) return received;
  }
  const auto targets = Json::parse(*list);
  const std::string id = targets ? targets->at(0).at("id").string().value_or("") : "";
  const auto is_of_uuid = [](char letter) { return letter == '-' || std::isxdigit(letter) != 0; };
  if (id.empty() || !std::ranges::all_of(id, is_of_uuid)) {
    return failure(fmt::format("what listens on port {} is no inspector", port));
  }
  ended_ = !connect(port);
  if (ended_) return failure("its inspector was closed");
  if (auto sent = send(wire::inspector_upgrade(port, "/" + id)); !sent) return sent;
  for (;;) {
    NI_TRY(const bool upgraded, stream_.upgraded());
    if (upgraded) return {};
    if (auto received = receive(kAnswerOfThread); !received) return received;
  }
}

// nullopt: none that may be seen. Of one that took what was free: the first of those that it listens on
// (node src/node.cc InitializeInspector() opens it before the script runs).
std::optional<int> Inspector::port() const {
  if (worker_.port != 0) return worker_.port;
  const auto listening = sys::listening_sockets();
  for (const std::uint64_t inode : sys::sockets_of(worker_.pid)) {
    const auto found = std::ranges::find(listening, inode, &sys::ListeningSocket::inode);
    if (found != listening.end()) return found->port;
  }
  return std::nullopt;
}

Result<void> Inspector::ask_to_open() const {
  const auto handled = catches(worker_.pid, signals::usr1);
  if (!handled) {
    return failure("/proc does not show whether SIGUSR1 would end it");
  }
  if (!*handled) {
    return failure(
        "SIGUSR1, by which Node opens its inspector, would end it: it was started with "
        "--disable-sigusr1 or --permission, its program has taken Node's handler away, or it has "
        "only begun to start. With --inspect it needs no signal");
  }
  if (worker_.usr1 == InspectedWorker::Usr1::program) {
    return failure(
        "its program handles SIGUSR1 itself, so Node opens no inspector by it. With "
        "--inspect it needs no signal");
  }
  if (worker_.usr1 == InspectedWorker::Usr1::unknown) {
    return failure(
        "no module of nodeinit is in it that would tell whether its program handles "
        "SIGUSR1 itself; `nodeinit ctl signal USR1 SLOT` sends it all the same");
  }
  return sys::send_signal(worker_.pid, signals::usr1);
}

// Where another one had the port, Node does not try again by itself.
Result<Inspector> Inspector::open(InspectedWorker worker,
                                  const std::function<void(std::string)>& note) {
  NI_TRY(sys::UniqueFd signals, sys::open_signal_fd());
  Inspector inspector(worker, std::move(signals));
  const Instant begun = sys::now();
  Instant asked_at = begun;
  bool is_held = false;
  bool noted = false;
  for (;;) {
    const auto port = inspector.port();
    const bool answers = port && inspector.connect(*port);
    is_held = answers && !listens(worker.pid, *port).value_or(true);
    if (answers && !is_held) {
      auto attached = inspector.attach(*port);
      if (attached) return inspector;
      // One that has just been closed still takes connections for a moment.
      if (!inspector.ended_ || sys::now() - begun > kAnswerOfThread) {
        return std::move(attached).error();
      }
    }
    if (is_held) {
      inspector.opened_by_us_ = false;
    } else if (!answers && (!inspector.opened_by_us_ || sys::now() - asked_at > kAskAgain)) {
      inspector.opened_by_us_ = true;
      asked_at = sys::now();
      if (auto asked = inspector.ask_to_open(); !asked) return std::move(asked).error();
    }
    const Duration waited = sys::now() - begun;
    if (waited > kPatience && is_held) {
      return failure(fmt::format("another process has its inspector open on port {}", *port));
    }
    if (waited > kPatience) {
      return failure(
          fmt::format("its inspector has not opened within {}: {}. It does as soon as the main "
                      "thread is back in "
                      "JavaScript, on 127.0.0.1:{}",
                      format_duration(kPatience), what_it_does(worker.pid), worker.port));
    }
    if (waited > kUntilNote && !std::exchange(noted, true)) {
      note(is_held ? "another process has its inspector open on that port, waiting"
                   : what_it_does(worker.pid) +
                         ", and not in JavaScript that can be interrupted; waiting");
    }
    if (auto paused = inspector.wait(kBetweenTries); !paused) return std::move(paused).error();
  }
}

Result<std::string> Inspector::next_message(Duration silence) {
  for (;;) {
    auto message = stream_.message();
    ended_ = ended_ || !message;
    if (!message) return std::move(message).error();
    if (*message) return **std::move(message);
    if (auto received = receive(silence); !received) return std::move(received).error();
  }
}

Result<int> Inspector::begin_call(std::string_view method, std::string_view parameters) {
  const int id = ++last_id_;
  auto sent = send(wire::inspector_frame(
      fmt::format(R"({{"id":{},"method":"{}","params":{}}})", id, method, parameters)));
  return sent ? Result<int>(id) : std::move(sent).error();
}

Result<std::string> Inspector::end_call(int id, Duration silence, std::string_view event,
                                        const std::function<bool(std::string_view)>& hear) {
  // As V8 writes it (deps/v8/third_party/inspector_protocol, crdtp/dispatch.cc): whoever takes a
  // large text apart need not read it.
  const std::string answer = fmt::format(R"({{"id":{},)", id);
  const std::string result = answer + R"("result":)";
  const std::string news = fmt::format(R"({{"method":"{}","params":)", event);
  for (;;) {
    NI_TRY(std::string message, next_message(silence));
    const std::string_view text(message);
    if (text.starts_with(result)) {
      return message.substr(result.size(), message.size() - result.size() - 1);
    }
    if (text.starts_with(answer)) {
      const auto json = Json::parse(text);
      return failure("it does not know how: " +
                     (json ? json->at("error").at("message").string().value_or("") : ""));
    }
    if (!event.empty() && text.starts_with(news) &&
        !hear(text.substr(news.size(), text.size() - news.size() - 1))) {
      return failure("what it tells cannot be written");
    }
  }
}

Result<std::string> Inspector::call(std::string_view method, std::string_view parameters,
                                    Duration silence, std::string_view event,
                                    const std::function<bool(std::string_view)>& hear) {
  NI_TRY(const int id, begin_call(method, parameters));
  return end_call(id, silence, event, hear);
}

// Only where it is the worker, whoever listens on that port. Our name stands in the stack in the way of a
// file's.
std::string Inspector::guarded(std::string_view body, bool awaits) const {
  const Json parameters = Json::object(
      {{"expression",
        fmt::format(
            "process.pid==={}?(require=>{{{}}})(process.getBuiltinModule||require):undefined"
            "\n//# sourceURL=nodeinit-ctl",
            worker_.pid.value(), body)},
       {"includeCommandLineAPI", true},  // `require`, where there is no getBuiltinModule
       {"returnByValue", true},
       {"awaitPromise", awaits},
       {"silent", true}});
  return parameters.text();
}

Result<std::string> Inspector::evaluate(std::string_view body) {
  NI_TRY(const std::string text, call("Runtime.evaluate", guarded(body)));
  NI_TRY(const Json json, Json::parse(text, {.bytes = wire::InspectorStream::kLongestMessage}));
  const Json thrown = json.at("exceptionDetails");
  if (thrown) {
    const auto what = thrown.at("exception").at("description").string();
    return failure("it has thrown: " + std::string(first_line(what ? *what : "something")));
  }
  auto value = json.at("result").at("value").string();
  if (!value) return failure("another process listens on its inspector's port");
  return *std::move(value);
}

// SIGUSR1 is a wish twice, by an interrupt and by an event of the loop (node src/inspector_agent.cc,
// RequestIoThreadStart()). Where the interrupt came first, the event would open the inspector again: it
// is closed when the loop has turned, or, where that takes long, now and then.
bool Inspector::close() {
  if (!opened_by_us_ || ended_) return true;
  const auto turned = call("Runtime.evaluate",
                           guarded("const t=require('timers').setImmediate;"
                                   "return new Promise(r=>{const f=n=>n?t(f,n-1):r('');f(3)})",
                                   true),
                           kTurning);
  // An error: it has ended.
  (void)begin_call("Runtime.evaluate",
                   guarded(fmt::format("const{{close}}=require('inspector'),t=require('timers')"
                                       ".setImmediate,f=n=>{{close();n&&t(f,n-1)}};f({})",
                                       turned ? 0 : 3)));
  const Instant until = sys::now() + kClosing;
  while (!ended_ && sys::now() < until) {
    const auto message = stream_.message();
    ended_ = ended_ || !message;  // a close frame
    if (message && !*message && !receive(until - sys::now())) break;
  }
  return ended_;
}

}  // namespace ni::app
