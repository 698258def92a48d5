// Who listens, and where.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/supervision/supervisor.h"

namespace ni {

void Supervisor::handle(const event::Adopted& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  Program& program = program_of(*worker);
  program.adopts = false;
  program.module_inside = worker->module_inside = event.module_inside;
  report(LogLevel::info, "adopted",
         "is about to listen below its command: its siblings are started as it was", worker, turn);
}

void Supervisor::handle(const event::Listening& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  worker->listens_by_itself |= event.by_itself;
  if (!event.tcp) {
    ++worker->other_servers;
    worker->listens_otherwise_since = turn.now;
    return;
  }
  ++worker->tcp_servers;
  constexpr std::size_t kMostPlaces = 64;
  if (event.place.id != 0 && worker->places.size() < kMostPlaces) {
    worker->places.push_back(event.place);
  }
  if (program_of(*worker).config.ready == Readiness::listen || worker->said_ready) {
    seems_ready(*worker, turn);
  }
}

void Supervisor::handle(const event::ServesWithoutTcp& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr || worker->other_servers == 0 ||
      program_of(*worker).config.ready != Readiness::listen) {
    return;
  }
  worker->counts_others = true;
  input(*worker, WorkerInput::ready, turn);
}

void Supervisor::handle(const event::ServerClosed& event, Turn turn) {
  Worker* worker = find(event.worker);
  if (worker == nullptr) {
    return;
  }
  unsigned& count = event.tcp ? worker->tcp_servers : worker->other_servers;
  if (count == 0) {
    return;
  }
  --count;
  const bool counted = event.tcp || worker->counts_others;
  if (counted && worker->servers() == 0 && worker->state == WorkerState::ready &&
      worker->counts_servers) {
    report(LogLevel::warn, "worker_not_serving",
           "closed its last server: it gets no more connections", worker, turn);
  }
}

// Where a worker has to listen, at one place at least, to be one of its program: where all ready ones
// do. None where they have no place in common (a port for each worker).
std::set<ServerPlace> Supervisor::expected_places(const Worker& worker) const {
  std::optional<std::set<ServerPlace>> common;
  for (const auto& [incarnation, other] : workers_) {
    if (other.program != worker.program || !other.is_ready() || incarnation == worker.incarnation) {
      continue;
    }
    const std::set<ServerPlace> places(other.places.begin(), other.places.end());
    std::set<ServerPlace> both;
    std::ranges::set_intersection(common ? *common : places, places,
                                  std::inserter(both, both.end()));
    common = std::move(both);
  }
  return common.value_or(std::set<ServerPlace>{});
}

// Ready by the program's rule. A program that takes another port when its own is busy listens where
// no client looks: a successor that would take over waits, and fails if it finds no better place.
void Supervisor::seems_ready(Worker& worker, Turn turn) {
  constexpr Duration kToFindItsPlace = 1s;
  const std::set<ServerPlace> expected = expected_places(worker);
  const auto is_expected = [&](const ServerPlace& place) { return expected.contains(place); };
  const bool elsewhere = worker.state == WorkerState::starting && !worker.places.empty() &&
                         !expected.empty() && std::ranges::none_of(worker.places, is_expected);
  const Slot& slot = slot_of(worker);
  const Worker* predecessor = slot.successor == worker.incarnation ? find(*slot.current) : nullptr;
  // A port for each worker, where there is one worker: its number was added.
  const bool by_number =
      predecessor != nullptr && !predecessor->places.empty() &&
      worker.places.front().port - predecessor->places.front().port ==
          static_cast<int>(worker.incarnation.value - predecessor->incarnation.value);
  if (!elsewhere || by_number) {
    worker.elsewhere = false;
    input(worker, WorkerInput::ready, turn);
    return;
  }
  const auto name = [](const ServerPlace& place) {
    return place.port > 0 ? fmt::format("port {}", place.port)
                          : std::string("a port of the system's choice");
  };
  const std::string what = fmt::format(
      "listens on {}, not on {} as the others: if the program takes another port when "
      "its own is busy, it has to stay one process (NODEINIT_MODE=single)",
      name(worker.places.back()), name(*expected.begin()));
  if (predecessor == nullptr) {
    if (!std::exchange(program_of(worker).told_elsewhere, true)) {
      report(LogLevel::warn, "worker_listens_elsewhere", what, &worker, turn);
    }
    input(worker, WorkerInput::ready, turn);
  } else if (!std::exchange(worker.elsewhere, true)) {
    report(LogLevel::warn, "worker_listens_elsewhere", what, &worker, turn);
    worker.deadline =
        std::min(worker.deadline.value_or(Instant::max()), turn.now + kToFindItsPlace);
  }
}

}  // namespace ni
