#include "core/report/ctl_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "base/text.h"

namespace ni {
namespace {

using wire::Json;
using Row = std::vector<std::string>;

// Terminal columns, near enough: every UTF-8 sequence of ours is one column wide.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(row[i]));
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += "  " + row[i];
      if (i + 1 < row.size()) {
        line.append(widths[i] - width(row[i]), ' ');
      }
    }
    text += line + "\n";
  }
  return text;
}

std::string word(const Json& value) {
  if (const auto number = value.integer()) {
    return std::to_string(*number);
  }
  const auto text = value.string();
  return text ? printable(*text, 80) : "-";
}

// Whole seconds above one second: nobody reads "3m2.117s".
std::string time(const Json& milliseconds) {
  const auto value = milliseconds.integer();
  if (!value || *value < 0) {
    return "-";
  }
  const std::int64_t rounded = *value >= 1000 ? *value / 1000 * 1000 : *value;
  return format_duration(std::chrono::milliseconds(rounded));
}

std::string size(const Json& bytes) {
  const auto value = bytes.integer();
  return value && *value >= 0 ? format_size(Bytes{static_cast<std::uint64_t>(*value)}) : "-";
}

std::string percent(double share) {
  return std::to_string(std::lround(share * 100)) + "%";
}

std::string memory(const Json& slot, const Json& program) {
  const auto used = slot.at("memory").integer();
  const auto share = program.at("memory_per_worker").integer();
  std::string text = size(slot.at("memory"));
  if (used && share && *share > 0) {
    text += " (" + percent(static_cast<double>(*used) / static_cast<double>(*share)) + ")";
  }
  return text;
}

std::string death(const Json& slot) {
  const auto text = slot.at("last_death").string();
  return text ? printable(*text, 60) + ", " + time(slot.at("since_death_ms")) + " ago" : "-";
}

std::string loop_delay(const Json& slot) {
  const auto value = slot.at("loop_delay_ms").number();
  return value ? format_duration(std::chrono::microseconds(std::llround(*value * 1000))) : "-";
}

std::string state(const Json& slot) {
  return word(slot.at("state")) + (slot.at("replacing").boolean().value_or(false) ? " ↻" : "");
}

std::string cpus_text(double cpus) {
  return format_cpus(
      MilliCpu{static_cast<std::uint64_t>(std::llround(std::max(cpus, 0.0) * 1000))});
}

// "used at most: 1.4 of 1.5 CPUs, throttled in 3% of the periods · 410M of 512M memory · event loops 62% busy …"
std::string most_used(const Json& status) {
  std::vector<std::string> parts;
  const auto limit = status.at("cpus").number();
  if (const auto most = status.at("cpus_most").number()) {
    parts.push_back(cpus_text(std::round(*most * 10) / 10) +
                    (limit ? " of " + cpus_text(*limit) : "") + " CPUs");
  }
  if (const auto throttled = status.at("throttled").number()) {
    parts.push_back("throttled in " + percent(*throttled) + " of the periods");
  }
  if (status.at("memory_most")) {
    parts.push_back(size(status.at("memory_most")) +
                    (status.at("memory") ? " of " + size(status.at("memory")) : "") + " memory");
  }
  if (const auto busy = status.at("loop_busy_p95").number()) {
    parts.push_back("event loops " + percent(*busy) + " busy (p95)");
  }
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "used at most: " : " · ") + part;
  }
  return text.empty() ? "" : text + "\n";
}

std::string head(const Json& status) {
  const bool ready = status.at("ready").boolean().value_or(false);
  std::string text = "nodeinit " + word(status.at("version")) + " · " + word(status.at("phase")) +
                     (ready ? ", ready" : ", not ready") + " · up " + time(status.at("uptime_ms")) +
                     "\n";
  std::string limits;
  if (const auto cpus = status.at("cpus").number()) {
    limits += cpus_text(*cpus) + " CPUs (" + word(status.at("cpus_source")) + ")";
  }
  if (status.at("memory")) {
    limits += (limits.empty() ? "" : " · ") + size(status.at("memory")) + " memory (" +
              word(status.at("memory_source")) + ")";
  }
  if (!status.at("memory") && status.at("memory_used")) {
    limits += (limits.empty() ? "" : " · ") + std::string("no memory limit");
  }
  if (status.at("memory_used")) {
    limits += ", " + size(status.at("memory_used")) + " used";
  }
  return text + (limits.empty() ? "" : "limits: " + limits + "\n") + most_used(status);
}

std::string program_line(const Json& program) {
  std::string text = word(program.at("name")) + ": " + word(program.at("ready")) + " of " +
                     word(program.at("workers")) + " workers ready";
  if (!program.at("stage").equals("serving")) {
    text += ", " + word(program.at("stage"));
  }
  if (program.at("rolling").boolean().value_or(false)) {
    text += ", reloading";
  }
  if (const Json& spares = program.at("spares")) {
    text += ", " + word(spares.at("ready")) + " of " + word(spares.at("wanted")) + " spares";
  }
  if (program.at("workers_reason")) {
    text += " · " + word(program.at("workers_reason"));
  }
  if (program.at("memory_per_worker")) {
    text += " · " + size(program.at("memory_per_worker")) + " each";
  }
  return text + "\n";
}

template <class Function>
void for_each(const Json& array, Function&& function) {
  for (std::size_t i = 0; i < array.size(); ++i) {
    function(array.at(i));
  }
}

std::string bars(const std::deque<double>& shares) {
  constexpr std::array<std::string_view, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::string text;
  for (const double share : shares) {
    const double step = std::clamp(share * 8, 0.0, 7.0);
    text += kBars[static_cast<std::size_t>(step)];
  }
  return text;
}

}  // namespace

std::string status_text(const Json& status) {
  std::string text = head(status);
  for_each(status.at("programs"), [&](const Json& program) {
    std::vector<Row> rows = {
        {"SLOT", "PID", "STATE", "UPTIME", "CPU TIME", "MEMORY", "LOOP", "RESTARTS", "LAST DEATH"}};
    for_each(program.at("slots"), [&](const Json& slot) {
      rows.push_back({word(slot.at("slot")), word(slot.at("pid")), state(slot),
                      time(slot.at("uptime_ms")), time(slot.at("cpu_ms")), memory(slot, program),
                      loop_delay(slot), word(slot.at("restarts")), death(slot)});
    });
    text += "\n" + program_line(program) + table(rows);
  });
  return text;
}

void TopHistory::add(const Json& status, double seconds) {
  std::set<std::int64_t> seen;
  for_each(status.at("programs"), [&](const Json& program) {
    for_each(program.at("slots"), [&](const Json& slot) {
      const auto pid = slot.at("pid").integer();
      const auto cpu = slot.at("cpu_ms").integer();
      if (!pid || !cpu) {
        return;
      }
      seen.insert(*pid);
      const auto [entry, is_new] = tracks_.try_emplace(*pid);
      Track& track = entry->second;
      if (!is_new && seconds > 0) {
        track.shares.push_back(static_cast<double>(*cpu - track.cpu_ms) / 1000 / seconds);
        if (track.shares.size() > kSamples) {
          track.shares.pop_front();
        }
      }
      track.cpu_ms = *cpu;
    });
  });
  std::erase_if(tracks_, [&](const auto& track) { return !seen.contains(track.first); });
}

std::string TopHistory::screen(const Json& status) const {
  std::string text = head(status);
  for_each(status.at("programs"), [&](const Json& program) {
    std::vector<Row> rows = {
        {"SLOT", "PID", "STATE", "UPTIME", "MEMORY", "LOOP", "RESTARTS", "CPU", ""}};
    for_each(program.at("slots"), [&](const Json& slot) {
      const auto track = tracks_.find(slot.at("pid").integer().value_or(0));
      const bool known = track != tracks_.end() && !track->second.shares.empty();
      rows.push_back({word(slot.at("slot")), word(slot.at("pid")), state(slot),
                      time(slot.at("uptime_ms")), memory(slot, program), loop_delay(slot),
                      word(slot.at("restarts")),
                      known ? percent(std::max(0.0, track->second.shares.back())) : "-",
                      known ? bars(track->second.shares) : ""});
    });
    text += "\n" + program_line(program) + table(rows);
  });
  return text + "\nq: leave\n";
}

}  // namespace ni
