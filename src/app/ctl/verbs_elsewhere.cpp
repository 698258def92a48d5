#include "app/ctl/verbs_elsewhere.h"

#include <algorithm>
#include <array>

namespace ni::app {

std::string_view verb_here(std::string_view verb) {
  struct Known {
    std::string_view verb, here;
  };
  constexpr std::string_view kStatus = "nodeinit ctl status";
  constexpr std::string_view kLogs =
      "the container's own output: kubectl logs, docker logs (NODEINIT_LOG=prefix names the slot)";
  constexpr std::string_view kNothing =
      "nothing; the container is started anew as the image and the platform say";
  static constexpr std::array kKnown = std::to_array<Known>({
      {"list", kStatus},
      {"ls", kStatus},
      {"l", kStatus},
      {"ps", kStatus},
      {"show", kStatus},
      {"info", kStatus},
      {"jlist", "nodeinit ctl status --json"},
      {"prettylist", "nodeinit ctl status --json"},
      {"monit", "nodeinit ctl top"},
      {"dash", "nodeinit ctl top"},
      {"logs", kLogs},
      {"log", kLogs},
      {"tail", kLogs},
      {"sendSignal", "nodeinit ctl signal SIGNAL [SLOT]"},
      {"kill", "nodeinit ctl stop"},
      {"delete", "nodeinit ctl stop"},
      {"shutdown", "nodeinit ctl stop"},
      {"gracefulReload", "nodeinit ctl reload"},
      {"startOrReload", "nodeinit ctl reload"},
      {"start", "nodeinit COMMAND, as the container's entrypoint"},
      {"save", kNothing},
      {"dump", kNothing},
      {"resurrect", kNothing},
      {"startup", kNothing},
      {"flush", kNothing},
      {"env", "nodeinit --print-config"},
      {"version", "nodeinit --version"},
  });
  const auto* const found = std::ranges::find(kKnown, verb, &Known::verb);
  return found == kKnown.end() ? std::string_view() : found->here;
}

}  // namespace ni::app
