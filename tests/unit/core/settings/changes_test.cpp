#include "core/settings/changes.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("a reload takes what has changed and names what it cannot take") {
  Config before;
  before.http = "127.0.0.1:1";
  Config again = before;
  again.grace = 4s;
  again.http = "127.0.0.1:2";
  Changes changes;
  keep_what_stays(before, again, changes);
  CHECK(changes.applied == std::vector<std::string>{"grace"});
  CHECK(changes.not_applied == std::vector<std::string>{"http"});
  CHECK(again.grace == 4s);
  CHECK(again.http == "127.0.0.1:1");
}

TEST_CASE("a program's changes have its name in front") {
  ProgramConfig before;
  ProgramConfig again;
  again.balance = Balance::client_ip;
  again.surge = 3;
  Changes changes;
  keep_what_stays(before, again, "web.", changes);
  CHECK(changes.applied == std::vector<std::string>{"web.surge"});
  CHECK(changes.not_applied == std::vector<std::string>{"web.balance"});
  CHECK(again.balance == Balance::kernel);
}

TEST_CASE("nothing has changed in what reads the same") {
  Changes changes;
  Config again;
  keep_what_stays(Config{}, again, changes);
  CHECK(changes.applied.empty());
  CHECK(changes.not_applied.empty());
}
