#include "core/metrics_rounds.h"

#include <algorithm>
#include <utility>

#include "wire/prom_client.h"

namespace ni {

std::vector<Incarnation> MetricsRounds::begin(std::span<const Asked> workers, Instant now) {
  std::vector<Incarnation> to_ask;
  if (is_under_way()) return to_ask;
  ++request_;
  begun_ = now;
  merged_ = {};
  for (const Asked& asked : workers) {
    if (!answering_.contains(asked.program) && unanswered_[asked.worker] >= kMostUnanswered) {
      continue;
    }
    programs_.insert_or_assign(asked.worker, asked.program);
    pending_.emplace(asked.worker, asked);
    to_ask.push_back(asked.worker);
  }
  set_deadline();
  return to_ask;
}

void MetricsRounds::set_deadline() {
  const bool some_will_answer = std::ranges::any_of(
      pending_, [&](const auto& entry) { return answering_.contains(entry.second.program); });
  deadline_ = begun_ + (some_will_answer ? kPatience : pending_.empty() ? 0s : kFirstPatience);
}

bool MetricsRounds::is_complete(Instant now) const {
  return deadline_ && now >= *deadline_;
}

void MetricsRounds::answered(Incarnation worker, std::string_view line) {
  const auto program = programs_.find(worker);
  if (program == programs_.end()) return;  // it was not asked
  answering_.insert(program->second);
  const auto asked = pending_.find(worker);
  if (asked == pending_.end()) return;  // too late, or twice: not worth parsing
  const auto answer = wire::parse_prom_client_answer(line);
  if (!answer) {
    pending_.erase(asked);
    ++answers_.unusable;
  } else if (answer->request == request_) {
    merged_.add(asked->second.label, answer->registries);
    pending_.erase(asked);
    ++answers_.merged;
  }
  set_deadline();
}

void MetricsRounds::gone(Incarnation worker) {
  programs_.erase(worker);
  unanswered_.erase(worker);
  if (pending_.erase(worker) > 0) set_deadline();
}

WorkerMetrics MetricsRounds::finish() {
  for (const auto& [worker, asked] : pending_) {
    ++unanswered_[worker];
    answers_.unanswered += answering_.contains(asked.program) ? 1 : 0;
  }
  pending_.clear();
  deadline_.reset();
  return std::exchange(merged_, {});
}

}  // namespace ni
