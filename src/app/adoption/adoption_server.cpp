#include "app/adoption/adoption_server.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "sys/entropy.h"
#include "sys/local_sockets.h"
#include "sys/proc_tree.h"
#include "sys/sockets.h"
#include "sys/starting_directory.h"

namespace ni::app {
namespace {

constexpr std::chrono::milliseconds kRest{100};

Environment environment_of(const std::vector<std::string>& entries) {
  Environment environment;
  for (const std::string& entry : entries) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

}  // namespace

Result<std::unique_ptr<AdoptionServer>> AdoptionServer::open(uv_loop_t* loop, Hooks hooks) {
  const auto number = sys::random_number();
  const auto path = sys::real_path("/proc/self/exe");
  if (!number || !path) {
    return Error{.operation = "open",
                 .subject = "a socket for adoption",
                 .code = 0,
                 .reason = "no random number, or no /proc"};
  }
  const std::string name = fmt::format("nodeinit-adopt/{:016x}", *number);
  NI_TRY(sys::UniqueFd listener, sys::listen_local("@" + name));
  return std::unique_ptr<AdoptionServer>(new AdoptionServer(  // a private constructor
      loop, std::move(listener), name + ":" + *path, std::move(hooks)));
}

AdoptionServer::AdoptionServer(uv_loop_t* loop, sys::UniqueFd listener, std::string address,
                               Hooks hooks)
    : loop_(loop),
      listener_(std::move(listener)),
      address_(std::move(address)),
      hooks_(std::move(hooks)),
      accepting_(loop, listener_.get(), [this](int /*events*/) { accept(); }),
      rest_(loop, [this] { accepting_.watch(UV_READABLE); }) {
  accepting_.watch(UV_READABLE);
}

void AdoptionServer::accept() {
  auto accepted = sys::accept(listener_.get());
  if (!accepted) {
    // No descriptor left. Whoever waits there too long goes on as it is.
    accepting_.watch(0);
    rest_.start(kRest);
    return;
  }
  if (!*accepted) return;
  if (clients_.size() >= kMostClients) clients_.erase(clients_.begin());
  const std::uint64_t id = ++last_id_;
  Client& client = clients_[id];
  client.fd = std::move(**accepted);
  client.poll = std::make_unique<loop::Poll>(loop_, client.fd.get(), [this, id](int) { read(id); });
  client.poll->watch(UV_READABLE);
}

void AdoptionServer::read(std::uint64_t id) {
  constexpr std::size_t kMostKept = 3;
  Client& client = clients_.at(id);
  std::array<char, 16384> buffer{};
  auto received = sys::receive(client.fd.get(), buffer);
  if (received && !received->end) {
    client.input.append(buffer.data(), received->bytes);
    for (sys::UniqueFd& descriptor : received->descriptors) {
      if (client.descriptors.size() < kMostKept) {
        client.descriptors.push_back(std::move(descriptor));
      }
    }
    if (client.input.size() > kLongestMessage) clients_.erase(id);
    return;
  }
  if (received) {
    const std::string line = answer(client) + "\n";
    (void)sys::send(client.fd.get(), line);  // it has gone: nothing was promised
  }
  clients_.erase(id);
}

std::string AdoptionServer::answer(Client& client) {
  const auto peer = sys::peer_of(client.fd.get());
  const auto messenger = peer ? Pid::from(peer->pid) : std::nullopt;
  const auto process = messenger ? sys::parent_of(*messenger) : std::nullopt;
  if (!process) return "no process is seen";
  auto whose = hooks_.whose(*process);
  if (const auto* const why = std::get_if<std::string>(&whose)) {
    if (!why->empty()) hooks_.refused(*process, *why);
    return "no " + *why;
  }
  auto message = parse_adopt_message(client.input);
  if (!message) return "no such message";
  if (message->wish == "cannot") {
    hooks_.refused(*process, printable(message->text, 200));
    return "no";
  }
  const Incarnation worker = std::get<Incarnation>(whose);
  Rights rights = rights_of(*process, hooks_.limit_of_workers());
  if (!rights.differs.empty()) {
    hooks_.refused(*process, fmt::format("its siblings would not have its rights:{}; give them to "
                                         "the container, so that nodeinit has them, too",
                                         rights.differs));
    return "no, other rights";
  }
  if (message->wish == "take") {
    return take(client, *std::move(message), worker, *process, std::move(rights));
  }
  return fmt::format("yes {}", worker.value);
}

std::string AdoptionServer::take(Client& client, AdoptMessage message, Incarnation worker,
                                 Pid process, Rights rights) {
  if (client.descriptors.size() != 3 || message.argv.empty()) return "no such message";
  const auto shared = [](sys::UniqueFd fd) {
    return std::make_shared<const sys::UniqueFd>(std::move(fd));
  };
  hooks_.adopt(worker,
               {.pid = process,
                .argv = std::move(message.argv),
                .environment = environment_of(message.environment),
                .directory = std::move(message.text),
                .user = std::move(rights.user),
                .out = shared(std::move(client.descriptors[1])),
                .err = shared(std::move(client.descriptors[2]))},
               std::move(client.descriptors[0]));
  return fmt::format("yes {}", worker.value);
}

}  // namespace ni::app
