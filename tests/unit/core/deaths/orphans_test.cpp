#include "core/deaths/orphans.h"

#include <vector>

#include "support/catch.h"

using namespace ni;

namespace {

const Parentage kDead{.number = 1, .group = 20, .born = 100};
using Living = std::vector<Parentage>;

}  // namespace

TEST_CASE("a detached child is its dead worker's by number and birth") {
  const Orphan child{.number = 1, .group = 25, .born = 150};
  CHECK(was_left_by(kDead, child, {}));
  CHECK(was_left_by(kDead, child, Living{{.number = 0, .group = 10, .born = 50}}));
  CHECK(was_left_by(kDead, {.number = 1, .group = 25, .born = 100}, {}));
}

TEST_CASE("a successor of that number is no parent of what is older than itself") {
  const Living successor{{.number = 1, .group = 30, .born = 200}};
  CHECK(was_left_by(kDead, {.number = 1, .group = 25, .born = 199}, successor));
  // From then on it may be: it keeps it until its own end.
  CHECK_FALSE(was_left_by(kDead, {.number = 1, .group = 25, .born = 200}, successor));
  CHECK(was_left_by(successor[0], {.number = 1, .group = 25, .born = 200}, {}));
}

TEST_CASE("what belongs to a living worker, to a hook or to nobody is left alone") {
  const Living other{{.number = 0, .group = 10, .born = 50}};
  CHECK_FALSE(was_left_by(kDead, {.number = 0, .group = 25, .born = 150}, other));
  CHECK_FALSE(was_left_by(kDead, {.number = std::nullopt, .group = 25, .born = 150}, other));
  CHECK_FALSE(was_left_by(kDead, {.number = 1, .group = 10, .born = 150}, other));
  CHECK_FALSE(was_left_by(kDead, {.number = 1, .group = 25, .born = 99}, {}));
  // Another program's worker of the same number.
  CHECK_FALSE(was_left_by(kDead, {.number = 1, .group = 25, .born = 150},
                          Living{{.number = 1, .group = 40, .born = 90}}));
}

TEST_CASE("what is in the dead worker's group is its own, whatever its environment says") {
  CHECK(was_left_by(kDead, {.number = std::nullopt, .group = 20, .born = 150}, {}));
  CHECK_FALSE(was_left_by(kDead, {.number = std::nullopt, .group = 20, .born = 99}, {}));
}
