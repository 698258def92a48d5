#include "app/ctl/ctl.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "app/adoption/adopted.h"
#include "app/adoption/messenger.h"
#include "app/cluster/control.h"
#include "app/ctl/inspection.h"
#include "app/invocation/evaluating_files.h"
#include "app/invocation/options.h"
#include "base/text.h"
#include "core/pm2/pm2_compat.h"
#include "core/report/ctl_view.h"
#include "sys/clock.h"
#include "sys/local_sockets.h"
#include "sys/read_file.h"
#include "sys/signals.h"
#include "sys/sockets.h"

namespace ni::app {
namespace {

using wire::ControlReply;
using wire::ControlVerb;
using Show = CtlCommand::Show;

constexpr std::string_view kHelp =
    "nodeinit ctl VERB: talk to the nodeinit that is PID 1 here\n\n"
    "  status [--json]           limits, plan, and every slot with its worker\n"
    "  top                       the same, live\n"
    "  reload                    replace the workers one after the other; waits, exit code 1 if it "
    "failed\n"
    "  scale N|+K|-K             so many workers; K more; K fewer\n"
    "  restart SLOT              a new worker for one slot\n"
    "  stop [--quick]            end the container in order; waits until the workers have ended\n"
    "  signal SIGNAL [SLOT]      to every worker, or to one\n"
    "  health [live|ready]       exit code 0 or 1; for HEALTHCHECK and probes\n"
    "  events                    follow what happens\n"
    "  stack SLOT                the JavaScript that its worker runs now, also in an endless loop\n"
    "  cpu-profile SLOT [10s]    .cpuprofile for DevTools, on stdout\n"
    "  heap-snapshot SLOT        .heapsnapshot for DevTools, on stdout; its worker waits "
    "meanwhile\n"
    "  heap-stats SLOT           figures of V8's heap, as JSON\n"
    "  report SLOT               Node's diagnostic report, as JSON, without the environment\n"
    "  import-pm2 FILE           print a PM2 ecosystem file as TOML; --env NAME adds env_NAME\n\n"
    "  --program NAME            where several programs run\n"
    "  --control ADDRESS         in place of the setting `control`\n";

constexpr Duration kAnswerTime = 5s;
void print(std::string_view text, std::FILE* stream = stdout) {
  (void)std::fwrite(text.data(), 1, text.size(), stream);
  (void)std::fflush(stream);  // who reads us is gone: nothing to be done
}

int complain(std::string_view text) {
  print("nodeinit ctl: " + std::string(text) + "\n", stderr);
  return 1;
}

// A connection to PID 1, one request after the other.
class Connection {
 public:
  explicit Connection(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  bool send(const wire::ControlRequest& request) {
    const std::string line = wire::to_line(request);
    const auto sent = sys::send(fd_.get(), line);
    return sent && *sent == line.size();
  }

  // The other side ended it before it answered.
  bool is_closed() const { return is_closed_; }

  // The next answer; nullopt when none came in time or the other side has gone.
  std::optional<ControlReply> receive(std::optional<Duration> limit) {
    const auto until = sys::now() + limit.value_or(0s);
    for (;;) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        auto reply = wire::parse_control_reply(std::string_view(input_).substr(0, end));
        input_.erase(0, end + 1);
        return reply ? std::optional(std::move(*reply)) : std::nullopt;
      }
      const int wait =
          limit ? static_cast<int>(std::max<Duration>(0s, until - sys::now()) / 1ms) : -1;
      ::pollfd poll{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&poll, 1, wait) <= 0) {
        return std::nullopt;
      }
      std::array<char, 16384> buffer{};
      const auto received = sys::receive(fd_.get(), buffer);
      if (!received || received->end || input_.size() > wire::kLongestReply) {
        is_closed_ = true;
        return std::nullopt;
      }
      input_.append(buffer.data(), received->bytes);
    }
  }

 private:
  sys::UniqueFd fd_;
  std::string input_;
  bool is_closed_ = false;
};

std::string why_not(const Error& error, const std::string& address) {
  const std::string text = to_string(Error{.operation = "reach nodeinit at",
                                           .subject = address,
                                           .code = error.code,
                                           .reason = error.reason});
  const auto comm = sys::read_file("/proc/1/comm");
  const std::string_view name = comm ? first_line(*comm) : std::string_view();
  if (name.empty()) {
    return text;
  }
  if (name.starts_with("nodeinit")) {
    return text +
           "\nPID 1 is nodeinit: it runs with control = off or another address, in single "
           "mode, or under another network";
  }
  return text + "\nPID 1 here is " + printable(name, 40) + ", not nodeinit";
}

// The other end is a nodeinit of ours: root's or our own, and a process that our PID namespace
// shows. At a path its mode has let in nobody else, also from another container (a shared volume).
bool is_trusted(const sys::Peer& peer, const std::string& address) {
  const bool is_here = peer.pid != 0 || address.starts_with('/');
  return peer.pid == 1 || (is_here && (peer.user == 0 || peer.user == sys::effective_user()));
}

Result<Connection> connect(const std::string& address) {
  auto connected = sys::connect_local(address);
  // EAGAIN: many others knock at the same time, connect(2) for local sockets.
  for (const Instant until = sys::now() + kAnswerTime;
       !connected && connected.error().code == EAGAIN && sys::now() < until;) {
    (void)::poll(nullptr, 0, 2);
    connected = sys::connect_local(address);
  }
  NI_TRY(sys::UniqueFd fd, std::move(connected));
  NI_TRY(const sys::Peer peer, sys::peer_of(fd.get()));
  if (!is_trusted(peer, address)) {
    return Error{.operation = "trust",
                 .subject = address,
                 .code = 0,
                 .reason = peer.pid == 0 ? "it belongs to another container"
                                         : "it belongs to user " + std::to_string(peer.user)};
  }
  return Connection(std::move(fd));
}

// At the first address where a nodeinit of ours listens. Error: why none does at the last one that
// is no stranger's, or that all are strangers'.
Result<Connection> connect_to_any(std::span<const std::string> addresses) {
  std::optional<Error> why;
  for (const std::string& address : addresses) {
    auto connected = connect(address);
    if (connected) {
      return connected;
    }
    if (!why || connected.error().operation != "trust") {
      why = std::move(connected).error();
    }
  }
  return *std::move(why);
}

// Asked twice it changes nothing.
bool is_question(ControlVerb verb) {
  return verb == ControlVerb::status || verb == ControlVerb::health;
}

// The exit code; nullopt: a question that was not answered, since nodeinit had to make room for others.
std::optional<int> show_answers(Connection& connection, const CtlCommand& command) {
  const bool may_take_long = command.request.verb == ControlVerb::reload ||
                             command.request.verb == ControlVerb::stop ||
                             command.request.verb == ControlVerb::events;
  for (;;) {
    const auto reply =
        connection.receive(may_take_long ? std::nullopt : std::optional(kAnswerTime));
    if (!reply && connection.is_closed() && is_question(command.request.verb)) {
      return std::nullopt;
    }
    if (!reply) {
      return command.request.verb == ControlVerb::events ||
                     command.request.verb == ControlVerb::stop
                 ? 0
                 : complain("nodeinit has not answered");
    }
    if (reply->more) {
      print(printable_lines(reply->message) + "\n");
      continue;
    }
    if (!reply->ok) {
      return complain(printable_lines(reply->message));
    }
    if (command.show != Show::status) {
      print(printable_lines(reply->message) + "\n");
    } else {
      print(command.json ? printable_lines(reply->data.indented_text()) + "\n"
                         : status_text(reply->data));
    }
    return 0;
  }
}

// The terminal as `top` wants it; as it was again at the end, whatever the end is.
class LiveScreen {
 public:
  LiveScreen() : usable_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (usable_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      (void)::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
      print("\x1b[?1049h\x1b[?25l");  // the alternate screen, no cursor
    }
  }
  ~LiveScreen() {
    if (usable_) {
      print("\x1b[?25h\x1b[?1049l");
      (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
  }
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  bool usable() const { return usable_; }
  void show(const std::string& text) {
    std::string frame = "\x1b[H";
    for (const std::string_view line : split(text, '\n')) {
      frame += std::string(line) + "\x1b[K\r\n";
    }
    print(frame + "\x1b[J");
  }

 private:
  termios before_{};
  bool usable_;
};

int show_top(Connection& connection) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    return complain("top needs a terminal (docker exec -t, kubectl exec -t); status does not");
  }
  // main() has blocked all signals: they are read here, so that none leaves the terminal altered.
  const auto signals = sys::open_signal_fd();
  if (!signals) {
    return complain(to_string(signals.error()));
  }
  std::string trouble;
  {
    LiveScreen screen;
    TopHistory history;
    std::optional<Instant> last;
    for (;;) {
      const bool asked = connection.send({.verb = ControlVerb::status});
      const auto reply = asked ? connection.receive(kAnswerTime) : std::nullopt;
      if (!reply || !reply->ok) {
        trouble = "nodeinit has not answered";
        break;
      }
      const Instant now = sys::now();
      history.add(reply->data, last ? std::chrono::duration<double>(now - *last).count() : 0);
      last = now;
      screen.show(history.screen(reply->data));
      std::array<::pollfd, 2> polls = {
          ::pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
          ::pollfd{.fd = signals->get(), .events = POLLIN, .revents = 0}};
      (void)::poll(polls.data(), polls.size(), 1000);
      char key = 0;
      const bool left =
          polls[0].revents != 0 && (::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q');
      const auto signal = polls[1].revents != 0 ? sys::read_signal(signals->get()) : std::nullopt;
      if (left || (signal && signal->signal != signals::winch && signal->signal != signals::tstp)) {
        break;
      }
    }
  }
  return trouble.empty() ? 0 : complain(trouble);
}

// Of the slot PID 1 knows the worker; all else is between that one and us.
int inspect_slot(Connection& connection, const CtlCommand& command) {
  const auto reply = connection.send({.verb = ControlVerb::status})
                         ? connection.receive(kAnswerTime)
                         : std::nullopt;
  if (!reply || !reply->ok) {
    return complain("nodeinit has not answered");
  }
  const wire::Json slot =
      find_slot(reply->data.at("programs"), command.request.program, *command.request.slot);
  if (!slot) {
    return complain(
        "there is no such slot; nodeinit ctl status lists them, and --program NAME says "
        "whose where several programs run");
  }
  const auto done = inspect(command.verb, slot, command.time);
  return done ? 0 : complain(printable_lines(to_string(done.error())));
}

int import_pm2(const CtlCommand& command) {
  const Pm2Translation translation = read_pm2_file(
      command.file, {.environment = command.environment_name, .only = {}}, EvaluatingFiles());
  const Configured judged = configure({}, {}, translation.file, {});
  for (const Problem& problem : judged.problems) {
    (void)complain(to_string(problem));
  }
  if (!judged.problems.empty()) {
    return kExitConfiguration;
  }
  print(to_toml(translation));
  return 0;
}

// One connection, one request. nullopt: nodeinit had to make room for others, and nothing was done.
std::optional<int> ask(const CtlCommand& command, std::span<const std::string> addresses) {
  auto connection = connect_to_any(addresses);
  if (!connection) {
    return complain(why_not(connection.error(), addresses.back()));
  }
  // From here on a signal ends us, as it ends any program: main() has blocked them for PID 1. But
  // the SIGTERM to all that is left in the container comes with the end that we wait for.
  if (command.request.verb == ControlVerb::stop) {
    (void)std::signal(SIGTERM, SIG_IGN);
  }
  sys::unblock_all_signals();
  if (!connection->send(command.request)) {
    const auto reply = connection->receive(kAnswerTime);  // it may have said why
    return reply ? std::optional(complain(printable_lines(reply->message))) : std::nullopt;
  }
  return show_answers(*connection, command);
}

}  // namespace

int run_ctl(std::span<const std::string> words, const std::string& configured) {
  if (!words.empty() && words.front() == kAdoptVerb) {
    return run_messenger(words.subspan(1));
  }
  const auto command = parse_ctl(words);
  if (!command) {
    (void)complain(command.error().reason + "; nodeinit ctl help lists the verbs");
    return kExitUsage;
  }
  if (command->show == Show::help) {
    print(kHelp);
    return 0;
  }
  if (command->show == Show::import_pm2) {
    return import_pm2(*command);
  }
  const std::string setting = command->control.empty() ? configured : command->control;
  if (setting.empty()) {
    return complain("the control socket is off (setting control)");
  }
  const std::vector<std::string> addresses = control_addresses(setting);
  if (command->show == Show::top || command->show == Show::inspection) {
    auto connection = connect_to_any(addresses);
    if (!connection) {
      return complain(why_not(connection.error(), addresses.back()));
    }
    return command->show == Show::top ? show_top(*connection) : inspect_slot(*connection, *command);
  }
  for (const Instant until = sys::now() + kAnswerTime;;) {
    if (const auto code = ask(*command, addresses)) {
      return *code;
    }
    if (sys::now() >= until) {
      return complain("nodeinit has not answered");
    }
    (void)::poll(nullptr, 0, 2);
  }
}

}  // namespace ni::app
