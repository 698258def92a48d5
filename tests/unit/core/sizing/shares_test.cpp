#include "core/sizing/shares.h"

#include "support/catch.h"

using namespace ni;

namespace {

ProgramConfig program(WorkerCount workers, std::optional<unsigned> share = std::nullopt) {
  ProgramConfig config;
  config.workers = workers;
  config.share = share;
  return config;
}
constexpr WorkerCount kAuto{};
constexpr WorkerCount exactly(unsigned amount) {
  return {WorkerCount::Kind::exactly, amount};
}
using Parts = std::vector<ContainerPart>;
constexpr MilliCpu kFourCpus{4000};

}  // namespace

TEST_CASE("one program has the whole container, but for the memory that its share leaves") {
  const std::vector<ProgramConfig> one = {program(kAuto)};
  CHECK(share_out(one, kFourCpus) == Parts{{1000, 1000}});
  const std::vector<ProgramConfig> with_a_share = {program(kAuto, 30)};
  CHECK(share_out(with_a_share, kFourCpus) == Parts{{1000, 300}});
  CHECK(share_out({}, kFourCpus).empty());
}

TEST_CASE("a queue consumer with one worker takes memory for one worker and no CPUs from the web") {
  const std::vector<ProgramConfig> both = {program(kAuto), program(exactly(1))};
  CHECK(share_out(both, kFourCpus) == Parts{{1000, 800}, {1000, 200}});
}

TEST_CASE("programs on auto divide the CPUs evenly") {
  const std::vector<ProgramConfig> both = {program(kAuto), program(kAuto)};
  CHECK(share_out(both, kFourCpus) == Parts{{500, 500}, {500, 500}});
}

TEST_CASE("a named share is taken first and the rest divided among the others") {
  const std::vector<ProgramConfig> three = {program(kAuto, 60), program(exactly(3)),
                                            program(exactly(1))};
  CHECK(share_out(three, kFourCpus) == Parts{{1000, 600}, {1000, 300}, {1000, 100}});
}

TEST_CASE("a program is never left without any memory at all") {
  const std::vector<ProgramConfig> both = {program(kAuto, 100), program(exactly(1))};
  CHECK(share_out(both, kFourCpus)[1].memory == 1);
}

TEST_CASE("one program alone plans with its share of the memory") {
  ProgramConfig program;
  program.share = 50;
  const auto parts = share_out(std::vector<ProgramConfig>{program}, MilliCpu{2000});
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].memory == 500);
  CHECK(parts[0].cpu == 1000);
}
