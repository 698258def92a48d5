// How numbers of workers, amounts of memory and limits are written.

#include "base/text.h"
#include "core/settings/setting_values.h"

namespace ni {

bool read_value(std::string_view text, WorkerCount& value) {
  using Kind = WorkerCount::Kind;
  const std::string lower = to_lower(text);
  value = WorkerCount{};
  if (lower == "auto") {
    return true;
  }
  if (lower == "max") {
    value.kind = Kind::maximum;
    return true;
  }
  if (const auto dots = text.find(".."); dots != std::string_view::npos) {
    value.kind = Kind::range;
    const std::string_view most = trim(text.substr(dots + 2));
    return read_count(trim(text.substr(0, dots)), 1, value.amount) &&
           (to_lower(most) == "auto" || read_count(most, value.amount, value.most));
  }
  if (text.ends_with('%')) {
    value.kind = Kind::percent;
    text.remove_suffix(1);
    const auto percent = parse_number<unsigned>(trim(text));
    value.amount = percent.value_or(0);
    // Above 100: more workers than CPUs, for programs that wait a lot.
    return percent && *percent >= 1 && *percent <= 1000;
  }
  value.kind = text.starts_with('-') ? Kind::fewer : Kind::exactly;
  return read_count(text.starts_with('-') ? text.substr(1) : text, 1, value.amount);
}
std::string show_value(const WorkerCount& value) {
  switch (value.kind) {
    case WorkerCount::Kind::automatic:
      return "auto";
    case WorkerCount::Kind::maximum:
      return "max";
    case WorkerCount::Kind::exactly:
      return std::to_string(value.amount);
    case WorkerCount::Kind::fewer:
      return "-" + std::to_string(value.amount);
    case WorkerCount::Kind::percent:
      return std::to_string(value.amount) + "%";
    case WorkerCount::Kind::range:
      return std::to_string(value.amount) + ".." +
             (value.most == 0 ? "auto" : std::to_string(value.most));
  }
  return {};
}

bool read_value(std::string_view text, MemoryAmount& value) {
  value = MemoryAmount{};
  if (text.ends_with('%')) {
    return read_percent(text, value.percent);
  }
  const auto size = parse_size(text);
  value.bytes = size.value_or(Bytes{});
  // Node itself needs some 40 MB: less would be replaced for ever.
  return size && size->value >= kMiB;
}
bool read_value(std::string_view text, ReadyShare& value) {
  value.percent = text.ends_with('%');
  return value.percent ? read_percent(text, value.amount) : read_count(text, 1, value.amount);
}
std::string show_value(const ReadyShare& value) {
  return std::to_string(value.amount) + (value.percent ? "%" : "");
}

std::string show_value(const MemoryAmount& value) {
  if (value.percent != 0) {
    return std::to_string(value.percent) + "%";
  }
  const std::uint64_t bytes = value.bytes.value;
  if (bytes % kGiB == 0) {
    return std::to_string(bytes / kGiB) + "G";
  }
  return bytes % kMiB == 0 ? std::to_string(bytes / kMiB) + "M" : std::to_string(bytes);
}

bool read_value(std::string_view text, RequestLimit& value) {
  constexpr std::string_view kSign = "±";
  constexpr std::string_view kAscii = "+-";
  value = RequestLimit{};
  for (const std::string_view sign : {kSign, kAscii}) {
    if (const auto at = text.find(sign); at != std::string_view::npos) {
      std::string_view spread = trim(text.substr(at + sign.size()));
      if (!spread.ends_with('%')) {
        return false;
      }
      spread.remove_suffix(1);
      const auto percent = parse_number<unsigned>(trim(spread));
      if (!percent || *percent > 100) {
        return false;
      }
      value.spread = *percent;
      text = text.substr(0, at);
      break;
    }
  }
  const auto requests = parse_number<std::uint64_t>(trim(text));
  value.requests = requests.value_or(0);
  return requests && *requests >= 1 && *requests <= kMostRequests;
}
std::string show_value(const RequestLimit& value) {
  return std::to_string(value.requests) + "±" + std::to_string(value.spread) + "%";
}

bool read_value(std::string_view text, LoopDelayLimit& value) {
  value = LoopDelayLimit{};
  const auto slash = text.find('/');
  const auto delay = parse_duration(trim(text.substr(0, slash)));
  const auto lasting = slash == std::string_view::npos
                           ? std::optional(value.lasting)
                           : parse_duration(trim(text.substr(slash + 1)));
  if (!delay || !lasting) {
    return false;
  }
  value = {.delay = *delay, .lasting = *lasting};
  return value.delay >= 10ms && value.lasting >= 2s && value.delay < value.lasting;
}
std::string show_value(const LoopDelayLimit& value) {
  return show_value(value.delay) + "/" + show_value(value.lasting);
}

bool read_value(std::string_view text, Backoff& value) {
  const auto dots = text.find("..");
  const auto first = parse_duration(trim(text.substr(0, dots)));
  const auto limit =
      dots == std::string_view::npos ? first : parse_duration(trim(text.substr(dots + 2)));
  value = Backoff{.first = first.value_or(0s), .limit = limit.value_or(0s)};
  return first && limit && value.first <= value.limit;
}
std::string show_value(const Backoff& value) {
  return show_value(value.first) + ".." + show_value(value.limit);
}

bool read_value(std::string_view text, RestartIntensity& value) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return false;
  }
  const auto deaths = parse_number<unsigned>(trim(text.substr(0, slash)));
  const auto window = parse_duration(trim(text.substr(slash + 1)));
  value = RestartIntensity{.deaths = deaths.value_or(0), .window = window.value_or(0s)};
  return deaths && window && value.deaths >= 1 && value.deaths <= 1000 && value.window > 0s;
}
std::string show_value(const RestartIntensity& value) {
  return std::to_string(value.deaths) + "/" + show_value(value.window);
}

}  // namespace ni
