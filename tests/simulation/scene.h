#pragma once

// What the tests of the simulation begin with.

#include <cstdlib>

#include "support/catch.h"
#include "world.h"

namespace ni::simulation {

inline ProgramPlan web(unsigned workers, unsigned surge = 1) {
  ProgramPlan plan;
  plan.config.name = "web";
  plan.config.command = {"node", "server.js"};
  plan.config.surge = surge;
  plan.workers = workers;
  return plan;
}

inline void require_lawful(const World& world) {
  for (const std::string& law : world.broken_laws()) {
    UNSCOPED_INFO(law);
  }
  REQUIRE(world.broken_laws().empty());
}

}  // namespace ni::simulation
