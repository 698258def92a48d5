#pragma once

// What nodeinit does about one signal that has arrived: the user's rules (NODEINIT_SIGNALS) first,
// once, then the habits of the mode. Pure: who does it (app/single, Supervisor) is elsewhere, and
// so is counting ("the same again is a quick stop").
//
//                              single mode       cluster mode
//   TERM INT                   to the worker     stop in order
//   PWR RTMIN+3                to the worker     stop in order: LXC and podman ask so
//   QUIT                       to the worker     quick stop
//   HUP, sent                  to the worker     rolling reload
//   HUP, terminal              to the worker     stop in order: whoever sat there is gone
//   TTIN / TTOU, sent          to the worker     one worker more / fewer
//   TSTP TTIN TTOU, terminal   to the worker     nothing: nobody could resume a stopped service
//   USR1                       to the worker     to slot 0 (Node's inspector has one port)
//   CHLD                       nothing           nothing (reaping sees it)
//   the rest, 34…64 too        to the worker     to every worker

#include <cstdint>
#include <optional>
#include <span>

#include "base/signal.h"
#include "core/settings/config.h"

namespace ni {

struct ArrivedSignal {
  Signal signal;
  bool from_kernel = false;  // a terminal, not a process (si_code > 0)
};

struct SignalDecision {
  enum class Does : std::uint8_t {
    nothing,
    to_workers,     // single: the worker
    to_groups,      // the workers' whole process groups
    to_first_slot,  // slot 0's worker
    stop,
    quick_stop,
    reload,
    more,
    fewer,
  };
  Does does = Does::nothing;
  // What is sent on, for the three `to_`. For the two kinds of stop what workers get in place of
  // SIGTERM: a program may handle INT or QUIT alone.
  std::optional<Signal> signal;
  bool operator==(const SignalDecision&) const = default;
};

// `mode` is what runs: single or cluster; automatic counts as cluster. In single mode the answer is
// always nothing, to_workers or to_groups: where a rule names an act of the cluster, the worker
// gets SIGTERM for the two kinds of stop and the signal itself for the rest.
SignalDecision decide(const ArrivedSignal& arrived, std::span<const SignalRule> rules, Mode mode);

}  // namespace ni
