#include "app/cluster/orphan_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "sys/signals.h"

namespace ni::app {
namespace {

// "15 (sleep), 16 (sh), …"
std::string names_of(const std::vector<std::pair<Pid, std::string>>& processes) {
  constexpr std::size_t kMostNamed = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(processes.size(), kMostNamed); ++i) {
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", processes[i].first.value(),
                        processes[i].second);
  }
  return processes.size() > kMostNamed ? text + ", …" : text;
}

}  // namespace

void OrphanKeeper::add(Incarnation worker, unsigned number, Pid pid) {
  // Unknown: as if it had always been there, so that nothing it may have is taken for another's.
  workers_[worker] = {.number = number, .group = pid.value(), .born = sys::born(pid).value_or(0)};
}

void OrphanKeeper::left_by(Incarnation worker, Orphans policy, const IsOurs& is_ours, Instant now) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) {
    return;
  }
  const Parentage dead = found->second;
  workers_.erase(found);
  if (dead.born != 0) {
    look({.parentage = dead, .pid = dead.group}, policy, is_ours, now);
  }
}

void OrphanKeeper::reaped(Pid pid, const IsOurs& is_ours, bool look, Instant now) {
  const auto found = asked_.find(pid);
  if (found == asked_.end()) {
    return;
  }
  const Dead dead = found->second.of;
  asked_.erase(found);
  if (look) {
    this->look(dead, Orphans::end, is_ours, now);
  }
}

void OrphanKeeper::look(const Dead& dead, Orphans policy, const IsOurs& is_ours, Instant now) {
  std::vector<Parentage> living;
  for (const auto& [incarnation, parentage] : workers_) {
    living.push_back(parentage);
  }
  const auto is_known = [&](Pid pid) {
    return asked_.contains(pid) || is_ours(pid) ||
           std::ranges::find(living, pid.value(), &Parentage::group) != living.end();
  };
  std::vector<std::pair<Pid, std::string>> told;
  for (const sys::Child& child : sys::own_children(is_known, "NODEINIT_SLOT")) {
    const Orphan orphan{.number = parse_number<unsigned>(child.of_variable),
                        .group = child.group,
                        .born = child.born};
    const bool in_its_group =
        child.group == dead.parentage.group;  // has been asked to end with the group
    if (!was_left_by(dead.parentage, orphan, living)) {
      continue;
    }
    if (!in_its_group) {
      told.emplace_back(child.pid, child.name);
    }
    if (policy == Orphans::end) {
      ask(child, dead, now);
    }
  }
  if (told.empty()) {
    return;
  }
  const char* const what = told.size() == 1 ? "a process" : "processes";
  tell_(
      LogLevel::info, "left_behind",
      policy == Orphans::end
          ? fmt::format("worker {} has left {} behind: SIGTERM to {}, SIGKILL in {}", dead.pid,
                        what, names_of(told), format_duration(kPatience))
          : fmt::format("worker {} has left {} behind, which may stay (NODEINIT_ORPHANS=keep): {}",
                        dead.pid, what, names_of(told)));
}

void OrphanKeeper::ask(const sys::Child& child, const Dead& dead, Instant now) {
  Asked asked{.name = child.name,
              .leads_group = child.group == child.pid.value(),
              .killed = false,
              .kill_at = now + kPatience,
              .of = dead};
  asked.of.parentage.group = 0;  // soon it may be somebody else's
  if (child.group != dead.parentage.group) {
    signal(child.pid, asked, signals::term);
  }
  asked_.emplace(child.pid, asked);
}

// ESRCH: it has just ended and will be reaped.
void OrphanKeeper::signal(Pid pid, const Asked& asked, Signal signal) {
  (void)(asked.leads_group ? sys::send_signal_to_group(pid, signal)
                           : sys::send_signal(pid, signal));
}

std::optional<Instant> OrphanKeeper::next_deadline() const {
  std::optional<Instant> first;
  for (const auto& [pid, asked] : asked_) {
    first = first ? std::min(*first, asked.kill_at) : asked.kill_at;
  }
  return first;
}

void OrphanKeeper::act(Instant now) {
  std::vector<std::pair<Pid, std::string>> told;
  for (auto& [pid, asked] : asked_) {
    if (asked.kill_at > now) {
      continue;
    }
    signal(pid, asked, signals::kill);
    asked.kill_at = now + kPatience;  // uninterruptible sleep, a frozen group
    if (!std::exchange(asked.killed, true)) {
      told.emplace_back(pid, asked.name);
    }
  }
  if (!told.empty()) {
    tell_(
        LogLevel::warn, "left_behind_killed",
        fmt::format("left behind by workers and not ended in time: SIGKILL to {}", names_of(told)));
  }
}

}  // namespace ni::app
