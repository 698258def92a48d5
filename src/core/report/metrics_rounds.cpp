#include "core/report/metrics_rounds.h"

#include <algorithm>
#include <utility>

#include "wire/prom_client.h"

namespace ni {

std::vector<Incarnation> MetricsRounds::begin(std::span<const Asked> workers, Instant now,
                                              std::set<Incarnation> counting) {
  std::vector<Incarnation> to_ask;
  if (is_under_way()) return to_ask;
  ++request_;
  begun_ = now;
  merged_ = {};
  counting_ = std::move(counting);
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
  const bool some_may_answer = !pending_.empty() || !counting_.empty();
  deadline_ = begun_ + (some_will_answer ? kPatience : some_may_answer ? kFirstPatience : 0s);
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
    WorkerMetrics own;
    own.add(asked->second.label, answer->registries);
    merged_.merge(own);
    remember(worker, std::move(own));
    pending_.erase(asked);
    ++answers_.merged;
  }
  set_deadline();
}

void MetricsRounds::remember(Incarnation worker, WorkerMetrics own) {
  own.keep_counts();
  std::size_t kept = own.samples();
  for (const auto& [other, of] : latest_) kept += other == worker ? 0 : of.counts.samples();
  if (kept > WorkerMetrics::kMostSamples) return;
  latest_.insert_or_assign(worker, Latest{.counts = std::move(own), .request = request_});
}

void MetricsRounds::counted(Incarnation worker) {
  if (counting_.erase(worker) > 0) set_deadline();
}

void MetricsRounds::gone(Incarnation worker) {
  programs_.erase(worker);
  unanswered_.erase(worker);
  if (const auto latest = latest_.extract(worker)) {
    const bool is_merged = is_under_way() && latest.mapped().request == request_;
    (is_merged ? ended_later_ : ended_).merge(latest.mapped().counts);
  }
  if (pending_.erase(worker) + counting_.erase(worker) > 0) set_deadline();
}

WorkerMetrics MetricsRounds::finish() {
  for (const auto& [worker, asked] : pending_) {
    ++unanswered_[worker];
    answers_.unanswered += answering_.contains(asked.program) ? 1 : 0;
  }
  pending_.clear();
  counting_.clear();
  deadline_.reset();
  merged_.continue_from(ended_);
  ended_.merge(std::exchange(ended_later_, {}));
  return std::exchange(merged_, {});
}

}  // namespace ni
