#include "app/cluster/hang_examiner.h"

#include <algorithm>
#include <utility>

#include "sys/main_thread.h"

namespace ni::app {

std::optional<ThreadLook> look_at(Pid pid) {
  auto seen = sys::look_at_main_thread(pid);
  if (!seen) {
    return std::nullopt;
  }
  return ThreadLook{.state = seen->state,
                    .cpu = seen->cpu,
                    .kernel_function = std::move(seen->kernel_function),
                    .system_call = std::move(seen->system_call),
                    .started = std::move(seen->started)};
}

void HangExaminer::suspect(const event::Unresponsive& event, Pid pid, Instant now) {
  // Without /proc nothing is found, and it is judged by its silence alone.
  suspects_.insert_or_assign(event.worker, Suspect{.event = event,
                                                   .pid = pid,
                                                   .first_at = now,
                                                   .first = look_at(pid).value_or(ThreadLook{})});
}

std::optional<Instant> HangExaminer::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [worker, suspect] : suspects_) {
    const Instant due = suspect.first_at + kBetweenLooks;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

std::vector<HangExaminer::Finding> HangExaminer::take_due(Instant now) {
  std::vector<Finding> findings;
  for (auto it = suspects_.begin(); it != suspects_.end();) {
    Suspect& suspect = it->second;
    if (suspect.first_at + kBetweenLooks > now) {
      ++it;
      continue;
    }
    Finding finding{.event = std::move(suspect.event)};
    finding.event.silent_for += now - suspect.first_at;
    if (const auto second = look_at(suspect.pid); second && suspect.first.state != '?') {
      HangDiagnosis found = diagnose(suspect.first, *second, now - suspect.first_at);
      finding.finds = found.finds;
      finding.event.diagnosis = std::move(found.text);
    }
    findings.push_back(std::move(finding));
    it = suspects_.erase(it);
  }
  return findings;
}

}  // namespace ni::app
