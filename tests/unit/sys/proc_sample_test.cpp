#include "sys/proc_sample.h"

#include <fcntl.h>
#include <unistd.h>

#include "support/catch.h"
#include "sys/fd.h"

using namespace ni;

TEST_CASE("a process is sampled: its CPU time, memory, threads and descriptors", "[not-emulated]") {
  const Pid self = *Pid::from(getpid());
  const auto sample = sys::sample_process(self);
  REQUIRE(sample);
  CHECK(sample->resident.value > 1 * kMiB);
  CHECK(sample->virtual_size.value >= sample->resident.value);
  CHECK(sample->threads >= 1);
  const auto share = sys::proportional_memory(self);
  REQUIRE(share);
  CHECK(share->value > 0);
  const auto peak = sys::peak_memory(self);
  REQUIRE(peak);
  CHECK(peak->value > 1 * kMiB);
  const auto before = sys::count_descriptors(self);
  const sys::UniqueFd one(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto after = sys::count_descriptors(self);
  REQUIRE(before);
  REQUIRE(after);
  CHECK(*after == *before + 1);
}

TEST_CASE("a process that is gone is an error") {
  CHECK_FALSE(sys::sample_process(*Pid::from(4'000'000)));
  CHECK_FALSE(sys::proportional_memory(*Pid::from(4'000'000)));
  CHECK_FALSE(sys::peak_memory(*Pid::from(4'000'000)));
  CHECK_FALSE(sys::count_descriptors(*Pid::from(4'000'000)));
}
