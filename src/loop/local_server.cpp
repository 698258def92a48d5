#include "loop/local_server.h"

#include <algorithm>
#include <array>

#include "sys/sockets.h"

namespace ni::loop {
namespace {

constexpr std::chrono::milliseconds kRest{100};

}  // namespace

LocalServer::LocalServer(uv_loop_t* loop, sys::UniqueFd listener, std::size_t longest_line,
                         Callbacks callbacks)
    : loop_(loop),
      listener_(std::move(listener)),
      longest_line_(longest_line),
      callbacks_(std::move(callbacks)),
      accepting_(loop, listener_.get(), [this](int /*events*/) { accept(); }),
      rest_(loop, [this] { accepting_.watch(UV_READABLE); }) {
  accepting_.watch(UV_READABLE);
}

void LocalServer::accept() {
  // One for each call: whoever connects without end does not keep the loop from its other work.
  auto accepted = sys::accept(listener_.get());
  if (!accepted) {
    // No descriptor left, or no memory: whoever waits there would be told of again at once, for ever.
    accepting_.watch(0);
    rest_.start(kRest);
    return;
  }
  if (!*accepted) {
    return;  // it has gone again
  }
  sys::UniqueFd fd = std::move(**accepted);
  const auto peer = sys::peer_of(fd.get());
  if (!peer || !callbacks_.allows(*peer)) {
    ++refused_clients_;
    (void)sys::send(fd.get(),
                    callbacks_.refusal);  // it learns why, or not: it is no client of ours
    return;
  }
  const ClientId id = ++last_id_;
  Client& client = clients_[id];
  client.fd = std::move(fd);
  client.poll =
      std::make_unique<Poll>(loop_, client.fd.get(), [this, id](int events) { ready(id, events); });
  if (!client.poll->valid()) {
    clients_.erase(id);
    return;
  }
  client.poll->watch(UV_READABLE);
  read(id, client);  // in a crowd it has waited to be accepted, and has asked by now
  drop_oldest(false, kMostSilent);
}

// The first, where there are more than `above` of their kind.
void LocalServer::drop_oldest(bool has_asked, std::size_t above) {
  const auto is_one = [has_asked](const auto& each) { return each.second.has_asked == has_asked; };
  if (static_cast<std::size_t>(std::ranges::count_if(clients_, is_one)) > above) {
    ++dropped_clients_;
    drop(std::ranges::find_if(clients_, is_one)->first);
  }
}

void LocalServer::ready(ClientId id, int events) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) {
    return;
  }
  if ((events & UV_WRITABLE) != 0 && !write(found->second)) {
    drop(id);
    return;
  }
  if ((events & UV_READABLE) != 0) {
    read(id, found->second);
  }
}

void LocalServer::read(ClientId id, Client& client) {
  std::array<char, 4096> buffer{};
  const auto received = sys::receive(client.fd.get(), buffer);
  if (!received || received->end) {
    drop(id);
    return;
  }
  client.input.append(buffer.data(), received->bytes);
  for (;;) {
    const auto end = client.input.find('\n');
    if (end == std::string::npos) {
      break;
    }
    const std::string line = client.input.substr(0, end);
    client.input.erase(0, end + 1);
    if (!client.has_asked) {
      drop_oldest(true, kMostClients - 1);
      client.has_asked = true;
    }
    callbacks_.line(id, line);
    if (!clients_.contains(id)) {
      return;  // dropped while it was answered
    }
  }
  if (client.input.size() > longest_line_) {
    ++dropped_clients_;
    drop(id);
  }
}

void LocalServer::send(ClientId id, std::string_view bytes) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) {
    return;
  }
  Client& client = found->second;
  client.output += bytes;
  if (!write(client)) {
    drop(id);
  } else if (client.output.size() > kMostWaiting) {
    ++dropped_clients_;
    drop(id);
  }
}

bool LocalServer::write(Client& client) {
  while (!client.output.empty()) {
    const auto sent = sys::send(client.fd.get(), client.output);
    if (!sent) {
      return false;
    }
    if (*sent == 0) {
      break;
    }
    client.output.erase(0, *sent);
  }
  // A client that does not read its answers is not asked for more requests.
  client.poll->watch(client.output.empty() ? UV_READABLE : UV_WRITABLE);
  return true;
}

void LocalServer::drop(ClientId id) {
  if (clients_.erase(id) > 0) {
    callbacks_.gone(id);
  }
}

}  // namespace ni::loop
