// What the dead have left to say: kept for the message about their death and the termination log.

#include <fmt/format.h>

#include <algorithm>

#include "app/cluster/runtime.h"
#include "core/deaths/last_words.h"

namespace ni::app {

// Of a worker or hook that was just reaped; nothing of any other process.
std::string Runtime::take_last_words(const sys::Ended& ended) {
  const Pid pid = ended.pid;
  const auto& workers = supervisor_.workers();
  const auto worker = std::ranges::find_if(
      workers, [&](const auto& entry) { return entry.second.pid == std::optional(pid); });
  const bool is_hook = supervisor_.hook_pid() == std::optional(pid);
  if (worker == workers.end() && !is_hook) {
    return {};
  }
  const Incarnation process = is_hook ? hook_ : worker->first;
  pump_.closed(process);
  const std::optional<std::string> words = pump_.last_words(process);
  const Ending ending =
      is_hook ? supervisor_.hook_ending(ended.status) : ending_of(worker->second, ended.status);
  one_has_failed_ = one_has_failed_ || ending == Ending::failed;
  if (ending == Ending::failed || (ending == Ending::cut_short && !termination_.has_last_words())) {
    const std::string who =
        is_hook ? fmt::format("the hook (pid {})", pid.value())
                : fmt::format("slot {}: worker {}", worker->second.slot.value, pid.value());
    termination_.last_words(
        who, words.value_or("unknown, its stderr passed as it is; NODEINIT_LOG=lines keeps them"));
  }
  std::string line = telling_line(words.value_or(std::string()));
  // Of a program that has never listened: whoever started it may be new here.
  const bool is_first = is_hook || supervisor_.programs()[worker->second.program.value].stage ==
                                       Program::Stage::probing;
  if (is_first && ending == Ending::failed) line += advice_on(line);
  return line;
}

}  // namespace ni::app
