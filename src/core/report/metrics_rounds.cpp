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
    if (deaf_.contains(asked.worker)) {
      not_asked_.emplace(asked.worker, asked);
      continue;
    }
    programs_.insert_or_assign(asked.worker, asked.program);
    pending_.emplace(asked.worker, asked);
    to_ask.push_back(asked.worker);
  }
  set_deadline();
  return to_ask;
}

bool MetricsRounds::waits_for(const Asked& asked) const {
  return !silent_.contains(asked.worker) &&
         (answering_.contains(asked.program) || !silent_programs_.contains(asked.program));
}

void MetricsRounds::set_deadline() {
  bool some_will_answer = false;
  bool some_may_answer =
      std::ranges::any_of(counting_, [&](Incarnation one) { return !late_.contains(one); });
  for (const auto& [worker, asked] : pending_) {
    if (!waits_for(asked)) continue;
    some_may_answer = true;
    some_will_answer = some_will_answer || answering_.contains(asked.program);
  }
  deadline_ = begun_ + (some_will_answer ? kPatience : some_may_answer ? kFirstPatience : 0s);
}

bool MetricsRounds::is_complete(Instant now) const {
  return deadline_ && now >= *deadline_;
}

void MetricsRounds::answered(Incarnation worker, std::string_view line) {
  const auto program = programs_.find(worker);
  if (program == programs_.end()) return;  // it was not asked
  answering_.insert(program->second);
  silent_.erase(worker);
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

bool MetricsRounds::counted(Incarnation worker, bool asked, bool hears) {
  if (!hears) {
    deaf_.insert(worker);
    pending_.erase(worker);
  } else {
    deaf_.erase(worker);
  }
  if (asked) {
    late_.erase(worker);
    counting_.erase(worker);
  }
  auto held_back = hears ? not_asked_.extract(worker) : decltype(not_asked_)::node_type();
  const bool is_to_be_asked = is_under_way() && !held_back.empty();
  if (is_to_be_asked) {
    programs_.insert_or_assign(worker, held_back.mapped().program);
    pending_.insert(std::move(held_back));
  }
  if (is_under_way()) set_deadline();
  return is_to_be_asked;
}

void MetricsRounds::gone(Incarnation worker) {
  programs_.erase(worker);
  unanswered_.erase(worker);
  not_asked_.erase(worker);
  deaf_.erase(worker);
  silent_.erase(worker);
  late_.erase(worker);
  if (const auto latest = latest_.extract(worker)) {
    const bool is_merged = is_under_way() && latest.mapped().request == request_;
    (is_merged ? ended_later_ : ended_).merge(latest.mapped().counts);
  }
  if (pending_.erase(worker) + counting_.erase(worker) > 0) set_deadline();
}

WorkerMetrics MetricsRounds::finish() {
  for (const auto& [worker, asked] : pending_) {
    ++unanswered_[worker];
    silent_.insert(worker);
    silent_programs_.insert(asked.program);
    answers_.unanswered += answering_.contains(asked.program) ? 1 : 0;
  }
  late_.insert(counting_.begin(), counting_.end());
  pending_.clear();
  counting_.clear();
  not_asked_.clear();
  deadline_.reset();
  merged_.continue_from(ended_);
  ended_.merge(std::exchange(ended_later_, {}));
  return std::exchange(merged_, {});
}

}  // namespace ni
