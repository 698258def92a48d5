// What the primary wants done, is done here.

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <utility>

#include "app/connections/data_plane.h"
#include "sys/clock.h"

namespace ni::app {
namespace {

constexpr Duration kBetweenWarnings = 60s;  // of a lack that lasts
constexpr Duration kRest = 100ms;
constexpr std::size_t kMostTold = 64;  // addresses of which it was told that they cannot be had

std::string what_may_help(const wire::ListenQuery& query, int error) {
  constexpr int kFirstFreePort = 1024;
  const bool tcp = query.is_tcp();
  if (error == EADDRINUSE && tcp) {
    return "another process on this network listens there (ss -ltnp names it); ";
  }
  if ((error == EACCES || error == EPERM) && tcp && query.port < kFirstFreePort) {
    return "this user may not listen below 1024: another port, or "
           "net.ipv4.ip_unprivileged_port_start=0; ";
  }
  return "";
}

}  // namespace

// Where the application takes a relative path of a socket to be.
std::optional<sys::StartingDirectory::Visit> DataPlane::visit() const {
  auto visit = settings_.directory != nullptr
                   ? settings_.directory->visit()
                   : Result<sys::StartingDirectory::Visit>(sys::StartingDirectory::Visit(false));
  return visit ? std::optional(*std::move(visit)) : std::nullopt;  // the path is not found then
}

void DataPlane::perform(const primary_action::OpenListener& action) {
  const auto there = visit();
  const std::optional<UserIds>& user = settings_.users[action.program.value];
  Result<ListenSockets> group = open_listen_sockets(action.query, action.sockets, action.reuse_port,
                                                    settings_.inherited, user ? &*user : nullptr);
  if (!group) {
    if (told_of_.size() >= kMostTold) told_of_.clear();
    if (told_of_.insert(to_string(group.error())).second) {
      warn(group.error(),
           what_may_help(action.query, group.error().code) + "the application is told");
    }
    primary_.listener_opened(action.listener, {.error_number = group.error().code, .name = {}});
    return;
  }
  told_of_.clear();
  Primary::Opened opened{.port = group->address.port(), .tcp = group->tcp, .name = {}};
  if (group->address.family() != AF_UNIX) {
    opened.name = {.address = group->address.host(),
                   .ipv6 = group->address.is_ipv6(),
                   .port = group->address.port()};
  }
  listeners_.insert_or_assign(action.listener, std::move(*group));
  primary_.listener_opened(action.listener, opened);
}

void DataPlane::perform(const primary_action::ExtendListener& action) {
  const auto it = listeners_.find(action.listener);
  if (it == listeners_.end()) return;
  const Result<void> done = extend_listen_sockets(it->second, action.sockets);
  if (!done) warn(done.error(), "the new slots share the first one's socket");
}

void DataPlane::perform(const primary_action::CloseListener& action) {
  const auto it = listeners_.find(action.listener);
  if (it == listeners_.end()) return;
  const auto of_listener = [&](const SocketRef& ref) { return ref.listener == action.listener; };
  std::erase_if(watches_, [&](const auto& entry) { return of_listener(entry.first); });
  std::erase_if(resting_, of_listener);
  const auto there = visit();
  close_listen_sockets(it->second);
  listeners_.erase(it);
}

void DataPlane::send(Incarnation to, const std::string& line, int descriptor) {
  const auto it = channels_.find(to);
  if (it != channels_.end()) it->second->send(line, descriptor);
}

void DataPlane::perform(const primary_action::Send& action) {
  send(action.to, action.line, -1);
}

void DataPlane::perform(const primary_action::SendSocket& action) {
  const int socket = socket_of(action.socket);
  const int first = socket_of({action.socket.listener, 0});
  send(action.to, action.line, socket >= 0 ? socket : first);
}

void DataPlane::perform(const primary_action::SendConnection& action) {
  const auto it = connections_.find(action.connection);
  if (it != connections_.end()) send(action.to, action.line, it->second.get());
}

void DataPlane::perform(const primary_action::DropConnection& action) {
  connections_.erase(action.connection);
}

void DataPlane::perform(const primary_action::Steer& action) {
  const auto it = listeners_.find(action.listener);
  if (it == listeners_.end() || it->second.sockets.empty()) return;
  const auto& sockets = it->second.sockets;
  std::vector<std::uint32_t> members = action.sockets;
  std::erase_if(members, [&](std::uint32_t member) { return member >= sockets.size(); });
  const int fd = sockets.front().get();
  const Result<void> done =
      action.by_address ? sys::steer_by_address(fd, members) : sys::steer_by_port(fd, members);
  if (!done) warn(done.error(), "the kernel spreads connections over all slots");
}

int DataPlane::socket_of(SocketRef socket) const {
  const auto it = listeners_.find(socket.listener);
  const bool known = it != listeners_.end() && socket.socket < it->second.sockets.size();
  return known ? it->second.sockets[socket.socket].get() : -1;
}

void DataPlane::perform(const primary_action::Watch& action) {
  const SocketRef ref = action.socket;
  const int fd = socket_of(ref);
  if (fd < 0 || resting_.contains(ref)) return;
  std::unique_ptr<loop::Poll>& poll = watches_[ref];
  if (!poll) {
    poll = std::make_unique<loop::Poll>(loop_, fd, [this, ref](int) {
      watches_.at(ref)->watch(0);
      primary_.queue_readable(ref, sys::now());
      perform();
    });
  }
  poll->watch(UV_READABLE);
}

void DataPlane::perform(const primary_action::Unwatch& action) {
  watches_.erase(action.socket);
  resting_.erase(action.socket);
}

void DataPlane::perform(const primary_action::Accept& action) {
  const int fd = socket_of(action.socket);
  bool empty = fd < 0;
  for (unsigned i = 0; i < action.at_most && !empty; ++i) {
    Result<std::optional<sys::UniqueFd>> connection = sys::accept(fd);
    if (!connection) {
      const Instant now = sys::now();
      if (!accept_warned_at_ || now >= *accept_warned_at_ + kBetweenWarnings) {
        accept_warned_at_ = now;
        warn(connection.error(), "tried again ten times a second; connections wait");
      }
      resting_.insert(action.socket);
      retry_.start(kRest);
      empty = true;
    } else if (!connection->has_value()) {
      empty = true;
    } else {
      const ConnectionId id{next_connection_++};
      connections_.emplace(id, *std::move(*connection));
      primary_.connection_arrived(action.socket, id);
    }
  }
  primary_.accepted(action.socket, empty);
}

void DataPlane::retry_watches() {
  for (const SocketRef ref : std::exchange(resting_, {})) {
    perform(primary_action::Watch{ref});
  }
}

void DataPlane::perform(const primary_action::LookAtQueues& action) {
  const auto it = listeners_.find(action.listener);
  if (it == listeners_.end()) return;
  std::vector<int> fds;
  for (const sys::UniqueFd& socket : it->second.sockets) fds.push_back(socket.get());
  const Result<std::vector<unsigned>> lengths = sys::accept_queue_lengths(fds);
  primary_.looked(action.listener, lengths ? *lengths : std::vector<unsigned>());
}

void DataPlane::perform(const primary_action::IgnoreNew& action) {
  const auto it = listeners_.find(action.listener);
  if (it == listeners_.end()) return;
  Result<std::vector<sys::UniqueFd>> strangers = plug_listen_sockets(it->second);
  if (!strangers) return warn(strangers.error(), "a client that arrives just now may be reset");
  for (sys::UniqueFd& stranger : *strangers) {
    const ConnectionId id{next_connection_++};
    connections_.emplace(id, std::move(stranger));
    primary_.connection_arrived({action.listener, 0}, id);
  }
}

void DataPlane::perform(const primary_action::StopListeningTo& action) {
  const auto it = channels_.find(action.worker);
  if (it == channels_.end()) return;
  it->second->ignore_input();
  if (settings_.warn) {
    settings_.warn(fmt::format("worker {} breaks the cluster protocol, it is drained: {}",
                               action.worker.value, action.reason));
  }
}

void DataPlane::perform(const primary_action::Counted& action) {
  if (settings_.counted) settings_.counted(action);
}

void DataPlane::perform(const primary_action::Tell& action) {
  sink_(action.event);
}

}  // namespace ni::app
