#include "app/connections/listen_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/command/inspector.h"
#include "sys/clock.h"
#include "sys/descendants.h"
#include "sys/listening.h"

namespace ni::app {
namespace {

constexpr Duration kLongInATurn = 5ms;

bool is_unknown(const Supervisor& supervisor, const Worker& worker) {
  const ProgramConfig& config = supervisor.programs()[worker.program.value].config;
  return worker.state == WorkerState::starting && worker.pid && !worker.asked_for_socket &&
         config.ready == Readiness::listen;
}

bool listens_without_tcp(const Supervisor& supervisor, const Worker& worker) {
  const ProgramConfig& config = supervisor.programs()[worker.program.value].config;
  return worker.state == WorkerState::starting && worker.pid && worker.tcp_servers == 0 &&
         worker.other_servers > 0 && config.ready == Readiness::listen;
}

bool drains_by_itself(const Supervisor& /*supervisor*/, const Worker& worker) {
  return worker.state == WorkerState::draining && worker.pid && worker.listens_by_itself;
}

// Where it listens as a server, which the inspector is not. With Inspector::kFreePort that is the
// first that it opened: Node starts it before the script (node src/node.cc InitializeInspector()).
std::optional<int> port_of(Pid pid, const std::vector<sys::ListeningSocket>& listening,
                           int inspector = Inspector{}.port) {
  bool inspector_is_next = inspector == Inspector::kFreePort;
  for (const std::uint64_t inode : sys::sockets_of(pid)) {
    const auto found = std::ranges::find(listening, inode, &sys::ListeningSocket::inode);
    if (found == listening.end() || found->port == inspector) continue;
    if (!std::exchange(inspector_is_next, false)) return found->port;
  }
  return std::nullopt;
}

bool listens_on_unix_socket(Pid pid) {
  const std::vector<std::uint64_t> own = sys::sockets_of(pid);
  return std::ranges::any_of(sys::listening_unix_sockets(), [&own](std::uint64_t inode) {
    return std::ranges::find(own, inode) != own.end();
  });
}

}  // namespace

void ListenProbe::look(const Supervisor& supervisor, Instant now) {
  const auto is_settled = [&supervisor](bool (*question)(const Supervisor&, const Worker&)) {
    return [&supervisor, question](const auto& entry) {
      const auto worker = supervisor.workers().find(entry.first);
      return worker == supervisor.workers().end() || !question(supervisor, worker->second);
    };
  };
  std::erase_if(watched_, is_settled(is_unknown));
  std::erase_if(otherwise_, is_settled(listens_without_tcp));
  std::erase_if(draining_, is_settled(drains_by_itself));
  if (now < not_before_) {
    return;
  }
  Table table;
  for (const auto& [incarnation, worker] : supervisor.workers()) {
    const std::optional<Instant> when = due(supervisor, worker);
    if (!when || *when > now) {
      continue;
    }
    const Instant begun = sys::now();
    if (drains_by_itself(supervisor, worker)) {
      look_for_clients(worker, now);
    } else if (listens_without_tcp(supervisor, worker)) {
      look_at_other_servers(worker, table, now);
    } else {
      Watched& watched = watched_.try_emplace(incarnation, Watched{.due = *when}).first->second;
      look_at(supervisor.programs()[worker.program.value], worker, watched, table, now);
      watched.due = now + watched.rest;
      watched.rest = std::min(watched.rest * 2, kLongestRest);
    }
    const Duration took = sys::now() - begun;
    not_before_ = sys::now() + took * kRestAfterWork;
    if (took > kLongInATurn) {
      return;  // the others' turn comes
    }
  }
}

// When to look at that worker; nullopt: there is nothing to find out.
std::optional<Instant> ListenProbe::due(const Supervisor& supervisor, const Worker& worker) const {
  if (is_unknown(supervisor, worker)) {
    const auto known = watched_.find(worker.incarnation);
    return known == watched_.end() ? worker.spawned_at + kFirstLook : known->second.due;
  }
  if (drains_by_itself(supervisor, worker)) {
    const auto known = draining_.find(worker.incarnation);
    return known == draining_.end() ? Instant{} : known->second.due;
  }
  if (listens_without_tcp(supervisor, worker)) {
    const auto known = otherwise_.find(worker.incarnation);
    const Instant first = *worker.listens_otherwise_since + kQuiet;
    return known == otherwise_.end() ? first : std::max(first, known->second);
  }
  return std::nullopt;
}

std::optional<Instant> ListenProbe::next_deadline(const Supervisor& supervisor) const {
  std::optional<Instant> next;
  for (const auto& [incarnation, worker] : supervisor.workers()) {
    if (const std::optional<Instant> when = due(supervisor, worker)) {
      next = next ? std::min(*next, *when) : *when;
    }
  }
  return next ? std::optional(std::max(*next, not_before_)) : std::nullopt;
}

const std::vector<sys::ListeningSocket>& ListenProbe::Table::listening() {
  if (!listening_) {
    listening_ = sys::listening_sockets();
  }
  return *listening_;
}

void ListenProbe::look_for_clients(const Worker& worker, Instant now) {
  Draining& known = draining_[worker.incarnation];
  known.due = now + kLookForClients;
  const bool quiet = sys::has_clients(*worker.pid) == false;
  if (std::exchange(known.was_quiet, quiet) && quiet) {
    known.due = Instant::max();
    ears_.post(event::ChannelClosed{worker.incarnation});  // as if it had told us so
  }
}

void ListenProbe::look_at_other_servers(const Worker& worker, Table& table, Instant now) {
  const std::vector<sys::ListeningSocket>& listening = table.listening();
  const sys::Descendants descendants(*worker.pid);
  for (const int number : descendants) {
    const Pid descendant = *Pid::from(number);
    if (const auto port = port_of(descendant, listening)) {
      otherwise_[worker.incarnation] = now + kLongestRest;
      return warn_of_descendant(worker, descendant, *port);
    }
  }
  if (descendants.begin() != descendants.end() &&
      now < *worker.listens_otherwise_since + kQuietWithDescendants) {
    otherwise_[worker.incarnation] = now + kQuiet;
    return;
  }
  ears_.post(event::ServesWithoutTcp{worker.incarnation});
}

void ListenProbe::warn_of_descendant(const Worker& worker, Pid descendant, int port) const {
  ears_.warn(worker,
             fmt::format("does not listen, but process {} below it does (port {}): its port "
                         "cannot be shared and it is not known to be ready. Name the command "
                         "of that process, or set NODEINIT_MODE=single",
                         descendant.value(), port));
}

void ListenProbe::look_at(const Program& program, const Worker& worker, Watched& watched,
                          Table& table, Instant now) {
  if (!worker.online && !worker.chain && now - worker.spawned_at > kOnlinePatience &&
      !std::exchange(watched.warned_of_silence, true)) {
    ears_.warn(worker,
               "runs but has not spoken over its channel: what was started is not the node program "
               "itself, or closes the descriptor NODE_CHANNEL_FD. Name node and its script as the "
               "command, or set NODEINIT_MODE=single");
  }
  const std::vector<sys::ListeningSocket>& listening = table.listening();
  if (const auto port = port_of(*worker.pid, listening, ears_.inspector_port(worker))) {
    return listens_by_itself(program, worker, *port);
  }
  if (listens_on_unix_socket(*worker.pid)) {
    // Every worker may have one: whether the name is taken it finds out itself. Ready when nothing
    // else comes (look_at_other_servers).
    ears_.post(event::AskedForSocket{worker.incarnation});
    ears_.post(event::Listening{.worker = worker.incarnation, .tcp = false, .by_itself = true});
    return;
  }
  if (watched.warned_of_descendant) {
    return;
  }
  for (const int number : sys::Descendants(*worker.pid)) {
    const Pid descendant = *Pid::from(number);
    if (const auto port = port_of(descendant, listening)) {
      watched.warned_of_descendant = true;
      return warn_of_descendant(worker, descendant, *port);
    }
  }
}

void ListenProbe::listens_by_itself(const Program& program, const Worker& worker, int port) {
  if (program.target > 1 && !sys::can_share_port(port)) {
    ears_.warn(worker, fmt::format("listens on port {} by itself and shares it with nobody "
                                   "(`exclusive`): only one worker can run, not {}; listen with "
                                   "`reusePort: true` to have several",
                                   port, program.target));
    ears_.post(event::TargetChanged{.program = program.id, .workers = 1});
  }
  ears_.post(event::AskedForSocket{worker.incarnation});
  const ServerPlace place{.id = (std::uint64_t{1} << 32U) + static_cast<std::uint64_t>(port),
                          .port = port};
  ears_.post(event::Listening{
      .worker = worker.incarnation, .tcp = true, .by_itself = true, .place = place});
}

}  // namespace ni::app
