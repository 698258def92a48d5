#include "wire/node_ipc.h"

#include <algorithm>

namespace ni::wire {
namespace {

constexpr std::string_view kInternal = R"({"cmd":"NODE_)";
constexpr std::string_view kHandle =
    R"({"cmd":"NODE_HANDLE")";  // then ',' or '}': NODE_HANDLE_ACK is another
constexpr std::string_view kReady = R"("ready")";
constexpr std::string_view kMetrics = R"({"type":"prom-client:getMetricsRes")";
// However the program orders the keys of what it says to us.
constexpr std::string_view kAddressed = R"({"type":"nodeinit:)";
constexpr std::string_view kReason = R"({"reason":)";
constexpr std::size_t kEnoughToTell = std::max(kHandle.size(), kMetrics.size());

}  // namespace

void IpcReader::classify() {
  if (kept_.starts_with(kHandle)) {
    state_ = State::handle;
  } else if (kept_.starts_with(kInternal)) {
    state_ = State::internal;
  } else if (expects_metrics_ && kept_.starts_with(kMetrics)) {
    state_ = State::metrics;
  } else if (kept_.starts_with(kAddressed) || kept_.starts_with(kReason)) {
    state_ = State::addressed;
  } else {
    state_ = State::user;
  }
  if (state_ == State::handle || state_ == State::user) kept_.clear();
}

void IpcReader::finish(std::vector<IpcLine>& lines) {
  if (state_ == State::beginning) {
    if (kept_ == kReady) lines.push_back(ReadyLine{});
    classify();
  }
  switch (state_) {
    case State::internal:
      speaks_bun_ = speaks_bun_ || prefixed_;
      lines.push_back(InternalLine{std::move(kept_)});
      break;
    case State::handle:
      lines.push_back(HandleLine{});
      break;
    case State::metrics:
      lines.push_back(MetricsLine{std::move(kept_)});
      ++user_messages_;
      break;
    case State::addressed:
      lines.push_back(AddressedLine{std::move(kept_)});
      ++user_messages_;
      break;
    case State::user:
      ++user_messages_;
      break;
    case State::beginning:
    case State::given_up:
      break;
  }
  kept_.clear();
  prefixed_ = false;
  state_ = State::beginning;
}

// More of a line that is kept whole, up to its bound.
void IpcReader::keep(std::string_view part, std::vector<IpcLine>& lines) {
  const std::size_t most = state_ == State::internal  ? kLongestInternalLine
                           : state_ == State::metrics ? kLongestMetricsLine
                                                      : kLongestAddressedLine;
  if (kept_.size() + part.size() <= most) {
    kept_ += part;
    return;
  }
  if (state_ == State::internal) return give_up(lines);
  if (state_ == State::metrics) lines.push_back(MetricsLine{});
  kept_ = std::string();
  state_ = State::user;
}

void IpcReader::give_up(std::vector<IpcLine>& lines) {
  state_ = State::given_up;
  kept_ = std::string();
  lines.push_back(LineTooLong{});
}

void IpcReader::feed(std::string_view bytes, std::vector<IpcLine>& lines) {
  while (!bytes.empty() && state_ != State::given_up) {
    if (state_ == State::beginning && kept_.empty() && !prefixed_ && bytes.front() == kBunPrefix) {
      prefixed_ = true;
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find('\n');
    const bool complete = end != std::string_view::npos;
    std::string_view part = bytes.substr(0, end);
    bytes.remove_prefix(complete ? end + 1 : bytes.size());
    if (state_ == State::beginning) {
      const std::string_view head = part.substr(0, kEnoughToTell - kept_.size());
      kept_ += head;
      part.remove_prefix(head.size());
      if (kept_.size() == kEnoughToTell) classify();
    }
    const bool is_kept =
        state_ == State::internal || state_ == State::metrics || state_ == State::addressed;
    if (is_kept) keep(part, lines);
    if (complete && state_ != State::given_up) finish(lines);
  }
}

}  // namespace ni::wire
