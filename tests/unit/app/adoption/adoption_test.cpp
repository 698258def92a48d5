#include "app/adoption/adopted.h"
#include "app/adoption/rights.h"
#include "support/catch.h"

using namespace ni;
using namespace ni::app;

namespace {

std::string status(std::string_view ids, std::string_view more = "") {
  return "Name:\tx\nUmask:\t0022\nUid:\t" + std::string(ids) + "\nGid:\t" + std::string(ids) +
         "\nGroups:\t7 8 \nCapEff:\t00ff\nCapBnd:\t00ff\nCapAmb:\t0000\nNoNewPrivs:\t0\n"
         "Seccomp:\t0\n" +
         std::string(more);
}

const std::string kRoot = status("0\t0\t0\t0");

}  // namespace

TEST_CASE("a messenger's words arrive as they were, whatever is in them") {
  const AdoptMessage sent{.wish = "take",
                          .argv = {"node", "", "a b\nc", "\xff\xfe"},
                          .environment = {"A=1", "B=", "C=x=y"},
                          .text = "/app"};
  const auto got = parse_adopt_message(to_bytes(sent));
  REQUIRE(got);
  CHECK(got->wish == "take");
  CHECK(got->argv == sent.argv);
  CHECK(got->environment == sent.environment);
  CHECK(got->text == "/app");
}

TEST_CASE("what is no such message is none") {
  using namespace std::string_view_literals;
  for (const std::string_view bytes :
       {""sv, "ask"sv, "ask 0\n\0"sv, "ask 0 0\n"sv, "ask 1 0\nx\0"sv, "ask 0 0\nx\0y\0"sv,
        "take 999999999 0\n/\0"sv, "ask -1 0\n\0"sv, "ask x 0\n\0"sv}) {
    INFO(bytes);
    CHECK_FALSE(parse_adopt_message(bytes));
  }
}

TEST_CASE("the same rights, another user, and rights that siblings would not have") {
  CHECK(compare_status(kRoot, kRoot).differs.empty());
  CHECK_FALSE(compare_status(kRoot, kRoot).user);
  const Rights other = compare_status(status("1000\t1000\t1000\t1000"), kRoot);
  CHECK(other.differs.empty());
  CHECK(other.user == UserIds{.uid = 1000, .gid = 1000, .groups = {7, 8}});
  // Who is not root cannot become another.
  CHECK_FALSE(compare_status(kRoot, status("1000\t1000\t1000\t1000")).differs.empty());
  CHECK_FALSE(compare_status(status("0\t1000\t0\t0"), kRoot).differs.empty());
  for (const auto& [before, after] : {std::pair{"NoNewPrivs:\t0", "NoNewPrivs:\t1"},
                                      {"CapBnd:\t00ff", "CapBnd:\t000f"},
                                      {"CapEff:\t00ff", "CapEff:\t0000"},
                                      {"CapAmb:\t0000", "CapAmb:\t0001"},
                                      {"Seccomp:\t0", "Seccomp:\t2"},
                                      {"Umask:\t0022", "Umask:\t0077"}}) {
    std::string narrowed = kRoot;
    narrowed.replace(narrowed.find(before), std::string_view(before).size(), after);
    INFO(after);
    CHECK_FALSE(compare_status(narrowed, kRoot).differs.empty());
  }
}
