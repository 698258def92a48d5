#include "core/supervision/signal_policy.h"

#include <vector>

#include "support/catch.h"

using namespace ni;
using Does = SignalDecision::Does;
using Rule = SignalRule::Does;

namespace {

SignalDecision decided(Signal signal, Mode mode, const std::vector<SignalRule>& rules = {}) {
  return decide({.signal = signal}, rules, mode);
}

SignalDecision sent(Does does, Signal signal) {
  return {.does = does, .signal = signal};
}

}  // namespace

TEST_CASE("in single mode every signal but CHLD goes to the worker as itself") {
  for (int number = 1; number <= kHighestSignal; ++number) {
    const Signal signal = *Signal::from(number);
    INFO(to_string(signal));
    CHECK(decided(signal, Mode::single) ==
          (signal == signals::child ? SignalDecision{} : sent(Does::to_workers, signal)));
    CHECK(decide({.signal = signal, .from_kernel = true}, {}, Mode::single) ==
          decided(signal, Mode::single));
  }
}

TEST_CASE("in cluster mode signals stop, reload and scale, and the rest reaches every worker") {
  CHECK(decided(signals::term, Mode::cluster).does == Does::stop);
  CHECK(decided(signals::interrupt, Mode::cluster).does == Does::stop);
  // How LXC and Incus, and how podman with a program called init, ask a container to end.
  CHECK(decided(signals::power, Mode::cluster).does == Does::stop);
  CHECK(decided(*parse_signal("RTMIN+3"), Mode::cluster).does == Does::stop);
  CHECK(decided(signals::quit, Mode::cluster).does == Does::quick_stop);
  CHECK(decided(signals::hup, Mode::cluster).does == Does::reload);
  CHECK(decided(signals::ttin, Mode::cluster).does == Does::more);
  CHECK(decided(signals::ttou, Mode::cluster).does == Does::fewer);
  CHECK(decided(signals::child, Mode::cluster).does == Does::nothing);
  CHECK(decided(signals::usr1, Mode::cluster) == sent(Does::to_first_slot, signals::usr1));
  for (const int number : {SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT, SIGSEGV, 34, 36, 38, 64}) {
    const Signal signal = *Signal::from(number);
    CHECK(decided(signal, Mode::cluster) == sent(Does::to_workers, signal));
  }
}

TEST_CASE("a terminal neither stops nor scales a cluster, but Ctrl-C ends it") {
  for (const Signal signal : {signals::tstp, signals::ttin, signals::ttou}) {
    CHECK(decide({.signal = signal, .from_kernel = true}, {}, Mode::cluster).does == Does::nothing);
  }
  CHECK(decide({.signal = signals::interrupt, .from_kernel = true}, {}, Mode::cluster).does ==
        Does::stop);
}

TEST_CASE("HUP of somebody reloads a cluster, HUP of a terminal that went away stops it") {
  CHECK(decide({.signal = signals::hup, .from_kernel = false}, {}, Mode::cluster).does ==
        Does::reload);
  CHECK(decide({.signal = signals::hup, .from_kernel = true}, {}, Mode::cluster).does ==
        Does::stop);
}

TEST_CASE("a signal rewritten to another is treated as that other, once") {
  const std::vector<SignalRule> rules = {
      {.from = signals::term, .does = Rule::send, .to = signals::interrupt},
      {.from = signals::interrupt, .does = Rule::send, .to = signals::usr2},
      {.from = signals::usr2, .does = Rule::send, .to = signals::hup}};
  CHECK(decided(signals::term, Mode::single, rules) == sent(Does::to_workers, signals::interrupt));
  CHECK(decided(signals::term, Mode::cluster, rules).does == Does::stop);
  CHECK(decided(signals::usr2, Mode::cluster, rules).does == Does::reload);
  CHECK(decided(signals::hup, Mode::single, rules) == sent(Does::to_workers, signals::hup));
}

TEST_CASE("a rule may forward, ignore, address the group or name an act of the cluster") {
  const std::vector<SignalRule> rules = {{.from = signals::hup, .does = Rule::forward, .to = {}},
                                         {.from = signals::usr2, .does = Rule::reload, .to = {}},
                                         {.from = signals::usr1, .does = Rule::ignore, .to = {}},
                                         {.from = signals::term, .does = Rule::group, .to = {}},
                                         {.from = signals::winch, .does = Rule::quit, .to = {}},
                                         {.from = signals::cont, .does = Rule::stop, .to = {}},
                                         {.from = signals::ttou, .does = Rule::more, .to = {}},
                                         {.from = signals::ttin, .does = Rule::fewer, .to = {}}};
  CHECK(decided(signals::hup, Mode::cluster, rules) == sent(Does::to_workers, signals::hup));
  CHECK(decided(signals::usr2, Mode::cluster, rules).does == Does::reload);
  CHECK(decided(signals::usr1, Mode::cluster, rules).does == Does::nothing);
  CHECK(decided(signals::term, Mode::cluster, rules) == sent(Does::to_groups, signals::term));
  CHECK(decided(signals::winch, Mode::cluster, rules).does == Does::quick_stop);
  CHECK(decided(signals::cont, Mode::cluster, rules).does == Does::stop);
  CHECK(decided(signals::ttou, Mode::cluster, rules).does == Does::more);
  CHECK(decided(signals::ttin, Mode::cluster, rules).does == Does::fewer);

  CHECK(decided(signals::term, Mode::single, rules) == sent(Does::to_groups, signals::term));
  CHECK(decided(signals::usr1, Mode::single, rules).does == Does::nothing);
  CHECK(decided(signals::usr2, Mode::single, rules) == sent(Does::to_workers, signals::usr2));
  CHECK(decided(signals::winch, Mode::single, rules) == sent(Does::to_workers, signals::term));
  CHECK(decided(signals::cont, Mode::single, rules) == sent(Does::to_workers, signals::term));
}

TEST_CASE("CHLD is ours, whatever a rule says") {
  const std::vector<SignalRule> rules = {{.from = signals::child, .does = Rule::stop, .to = {}}};
  CHECK(decided(signals::child, Mode::cluster, rules).does == Does::nothing);
}
