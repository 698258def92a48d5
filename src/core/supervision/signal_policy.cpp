#include "core/supervision/signal_policy.h"

#include <algorithm>

namespace ni {
namespace {

using Does = SignalDecision::Does;

SignalDecision send_on(Does does, Signal signal) {
  return {.does = does, .signal = signal};
}

SignalDecision act(Does does) {
  return {.does = does, .signal = {}};
}

SignalDecision habit_of_cluster(const ArrivedSignal& arrived) {
  const Signal signal = arrived.signal;
  const bool asks_systemd_to_end = signal == signals::power || signal == signals::halt;
  if (signal == signals::term || signal == signals::interrupt || asks_systemd_to_end) {
    return asks_systemd_to_end ? act(Does::stop) : send_on(Does::stop, signal);
  }
  if (signal == signals::quit) {
    return send_on(Does::quick_stop, signal);
  }
  if (signal == signals::hup) {
    return act(arrived.from_kernel ? Does::stop : Does::reload);
  }
  const bool stops_by_default =
      signal == signals::tstp || signal == signals::ttin || signal == signals::ttou;
  if (stops_by_default && arrived.from_kernel) {
    return {};
  }
  if (signal == signals::ttin) {
    return act(Does::more);
  }
  if (signal == signals::ttou) {
    return act(Does::fewer);
  }
  if (signal == signals::usr1) {
    return send_on(Does::to_first_slot, signal);
  }
  return send_on(Does::to_workers, signal);
}

SignalDecision habit(const ArrivedSignal& arrived, bool single) {
  return single ? send_on(Does::to_workers, arrived.signal) : habit_of_cluster(arrived);
}

SignalDecision by_rule(const SignalRule& rule, bool single) {
  switch (rule.does) {
    case SignalRule::Does::send:
      // As though that signal had arrived: TERM=INT still stops a cluster.
      return habit({.signal = rule.to.value_or(rule.from), .from_kernel = false}, single);
    case SignalRule::Does::forward:
      return send_on(Does::to_workers, rule.from);
    case SignalRule::Does::group:
      return send_on(Does::to_groups, rule.from);
    case SignalRule::Does::ignore:
      return {};
    case SignalRule::Does::stop:
      return single ? send_on(Does::to_workers, signals::term) : act(Does::stop);
    case SignalRule::Does::quit:
      return single ? send_on(Does::to_workers, signals::term) : act(Does::quick_stop);
    case SignalRule::Does::reload:
      return single ? send_on(Does::to_workers, rule.from) : act(Does::reload);
    case SignalRule::Does::more:
      return single ? send_on(Does::to_workers, rule.from) : act(Does::more);
    case SignalRule::Does::fewer:
      return single ? send_on(Does::to_workers, rule.from) : act(Does::fewer);
  }
  return {};
}

}  // namespace

SignalDecision decide(const ArrivedSignal& arrived, std::span<const SignalRule> rules, Mode mode) {
  if (arrived.signal == signals::child) {
    return {};
  }
  const bool single = mode == Mode::single;
  const auto rule = std::ranges::find(rules, arrived.signal, &SignalRule::from);
  return rule == rules.end() ? habit(arrived, single) : by_rule(*rule, single);
}

}  // namespace ni
