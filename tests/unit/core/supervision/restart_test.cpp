#include "core/supervision/restart.h"

#include "support/catch.h"

using namespace ni;

namespace {

ProgramConfig restarted(RestartMode mode, std::vector<int> stop_codes = {}) {
  ProgramConfig config;
  config.restart = mode;
  config.stop_codes = std::move(stop_codes);
  return config;
}

}  // namespace

TEST_CASE("a stop code is what a program ends with, never how a signal ended it") {
  const ProgramConfig config = restarted(RestartMode::always, {3, 137});
  CHECK_FALSE(wants_restart(config, DeathCause::left_by_itself, ExitStatus::exited(3)));
  CHECK_FALSE(wants_restart(config, DeathCause::crashed, ExitStatus::exited(137)));
  CHECK(wants_restart(config, DeathCause::crashed, ExitStatus::exited(4)));
  CHECK(wants_restart(config, DeathCause::crashed, ExitStatus::killed_by(signals::kill)));
  CHECK(wants_restart(config, DeathCause::oom_killed, ExitStatus::killed_by(signals::kill)));
}

TEST_CASE("the mode says which ends are followed by a start") {
  const ExitStatus good = ExitStatus::exited(0);
  const ExitStatus bad = ExitStatus::exited(1);
  CHECK(wants_restart(restarted(RestartMode::always), DeathCause::left_by_itself, good));
  CHECK(wants_restart(restarted(RestartMode::on_failure), DeathCause::crashed, bad));
  CHECK_FALSE(wants_restart(restarted(RestartMode::on_failure), DeathCause::left_by_itself, good));
  CHECK_FALSE(wants_restart(restarted(RestartMode::never), DeathCause::crashed, bad));
}
