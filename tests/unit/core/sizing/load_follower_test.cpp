#include "core/sizing/load_follower.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <vector>

#include "support/catch.h"

using namespace ni;

namespace {

// A service whose load is what its requests ask of event loops, in loops, shared out evenly.
class Service {
 public:
  Service(unsigned least, unsigned most) : least_(least), most_(most), wanted_(least) {}

  // So long under that load (of the time since the start).
  void run(Duration time, const std::function<double(Duration)>& load) {
    for (const Duration until = at_ + time; at_ < until; at_ += LoadFollower::kEvery) {
      std::vector<Incarnation> ready;
      const double busy = std::min(load(at_) / wanted_, 1.0);
      for (std::uint32_t i = 1; i <= wanted_; ++i) {
        auto& [idle, active] = loops_[i];
        idle += 1000 * (1 - busy);
        active += 1000 * busy;
        ready.push_back(Incarnation{i});
        follower_.told(ready.back(), idle, active, Instant(at_));
      }
      if (busy >= 1 && wanted_ < most_) saturated_ += LoadFollower::kEvery;
      const auto change = follower_.look(ready, wanted_, least_, most_, Instant(at_));
      changes_ += change.by != 0 ? 1 : 0;
      wanted_ += static_cast<unsigned>(change.by);
      REQUIRE(wanted_ >= least_);
      REQUIRE(wanted_ <= most_);
      for (std::uint32_t gone = wanted_ + 1; gone <= most_; ++gone) {
        follower_.gone(Incarnation{gone});
        loops_.erase(gone);
      }
    }
  }
  void run(Duration time, double load) {
    run(time, [load](Duration) { return load; });
  }
  unsigned wanted() const { return wanted_; }
  unsigned changes() const { return changes_; }
  Duration saturated() const { return saturated_; }

 private:
  LoadFollower follower_;
  unsigned least_;
  unsigned most_;
  unsigned wanted_;
  Duration at_{};
  std::map<std::uint32_t, std::pair<double, double>> loops_;
  unsigned changes_ = 0;
  Duration saturated_{};  // with every loop full, and room for more
};

}  // namespace

TEST_CASE("workers come one by one while loops are busy, and go after quiet minutes") {
  Service service(1, 4);
  service.run(1min, 0.3);
  CHECK(service.wanted() == 1);
  service.run(30s, 2.6);
  CHECK(service.wanted() == 4);  // three would be 87 % busy
  CHECK(service.saturated() < 15s);
  service.run(4min, 0.3);
  CHECK(service.wanted() == 4);
  service.run(30min, 0.3);
  CHECK(service.wanted() == 1);
  CHECK(service.changes() == 6);
}

TEST_CASE("a load that fits stays as it is for ever") {
  for (const double load : {0.0, 0.4, 0.79, 1.1, 1.5, 2.3}) {
    Service service(1, 8);
    service.run(1h, load);
    const unsigned settled = service.wanted();
    const unsigned changes = service.changes();
    service.run(10h, load);
    CHECK(service.wanted() == settled);
    CHECK(service.changes() == changes);
  }
}

TEST_CASE("a load that comes and goes does not take the workers with it each time") {
  // Two minutes of every eight.
  const auto bursts = [](Duration at) { return at % 8min < 2min ? 1.8 : 0.2; };
  Service service(1, 4);
  service.run(24h, bursts);
  CHECK(service.changes() < 30);  // of 360, were each followed
}

TEST_CASE("a day's curve is followed") {
  const auto day = [](Duration at) {
    const double hours = std::chrono::duration<double, std::ratio<3600>>(at).count();
    return 2 - 1.9 * std::cos(hours / 12 * 3.14159265);
  };
  Service service(1, 6);
  service.run(12h, day);
  CHECK(service.wanted() >= 5);
  service.run(13h, day);
  CHECK(service.wanted() <= 2);
  CHECK(service.changes() < 20);
  CHECK(service.saturated() < 1min);
}

TEST_CASE("one busy loop beside idle ones is no reason for another") {
  LoadFollower follower;
  const std::vector<Incarnation> ready = {Incarnation{1}, Incarnation{2}};
  for (Duration at = 0s; at < 1min; at += 1s) {
    const double passed = std::chrono::duration<double, std::milli>(at).count();
    follower.told(ready[0], 0, passed, Instant(at));
    follower.told(ready[1], passed, 0, Instant(at));
    CHECK(follower.look(ready, 2, 2, 4, Instant(at)).by == 0);
  }
}

TEST_CASE("a loop that does not tell is full, one that has never told is not") {
  LoadFollower follower;
  const std::vector<Incarnation> ready = {Incarnation{1}};
  int more = 0;
  for (Duration at = 0s; at < 1min; at += 1s) {
    more += follower.look(ready, 1, 1, 2, Instant(at)).by;
  }
  CHECK(more == 0);
  follower.told(ready[0], 1, 1, Instant(1min));
  Duration at = 1min;
  for (; at < 2min && more == 0; at += 1s) {
    more += follower.look(ready, 1, 1, 2, Instant(at)).by;
  }
  CHECK(more == 1);
  CHECK(at <= 1min + 8s);
}

TEST_CASE("while workers are started or replaced nothing is decided") {
  LoadFollower follower;
  const std::vector<Incarnation> ready = {Incarnation{1}};
  for (Duration at = 0s; at < 1min; at += 1s) {
    follower.told(ready[0], 0, std::chrono::duration<double, std::milli>(at).count(), Instant(at));
    CHECK(follower.look(ready, 2, 1, 4, Instant(at)).by == 0);
  }
}
