#include "base/text.h"

#include <array>

#include "base/signal.h"
#include "support/catch.h"

using namespace ni;

TEST_CASE("durations are read with their unit and never without") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("24h") == 24h);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("0") == 0s);
  for (const auto* wrong : {"", "5", "s", "-1s", "5 parsecs", "1.2345s", "99999999999999999999s",
                            "4000d", "1s2", "."}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("durations are shown as a person writes them") {
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(250ms) == "250ms");
  CHECK(format_duration(1500ms) == "1.5s");
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(24h) == "24h");
}

TEST_CASE("sizes are powers of 1024 in every spelling") {
  CHECK(parse_size("300M") == Bytes{300 * kMiB});
  CHECK(parse_size("1GiB") == Bytes{kGiB});
  CHECK(parse_size("1.5G") == Bytes{1536 * kMiB});
  CHECK(parse_size("512k") == Bytes{512 * kKiB});
  CHECK(parse_size("1048576") == Bytes{kMiB});
  for (const auto* wrong :
       {"", "M", "-1M", "1X", "1.2.3M", "18446744073709551616", "99999999999T"}) {
    INFO(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
  CHECK(format_size(Bytes{300 * kMiB}) == "300 MiB");
  CHECK(format_size(Bytes{1536 * kMiB}) == "1.5 GiB");
  CHECK(format_size(Bytes{100}) == "100 B");
}

TEST_CASE("CPUs are shown without trailing zeros") {
  CHECK(format_cpus(MilliCpu{1500}) == "1.5");
  CHECK(format_cpus(MilliCpu{250}) == "0.25");
  CHECK(format_cpus(MilliCpu{2000}) == "2");
}

TEST_CASE("a slip finds its candidate, a different word finds none") {
  constexpr std::array<std::string_view, 3> candidates = {"workers", "balance", "ready_timeout"};
  CHECK(did_you_mean("worker", candidates) == "workers");
  CHECK(did_you_mean("ready-timeout", candidates) == "ready_timeout");
  CHECK_FALSE(did_you_mean("xyz", candidates));
}

TEST_CASE("signals are named as people name them") {
  CHECK(parse_signal("TERM") == signals::term);
  CHECK(parse_signal("sigterm") == signals::term);
  CHECK(parse_signal("15") == signals::term);
  CHECK(parse_signal("RTMIN+3")->number() == 37);
  CHECK(parse_signal("RTMAX-2")->number() == 62);
  CHECK_FALSE(parse_signal("0"));
  CHECK_FALSE(parse_signal("65"));
  CHECK_FALSE(parse_signal("NOPE"));
  for (int number = 1; number <= kHighestSignal; ++number) {
    if (number == 32 || number == 33) continue;  // the thread library's: they have no name
    CHECK(parse_signal(to_string(*Signal::from(number))) == Signal::from(number));
  }
}

TEST_CASE("text of others is made safe for one line") {
  CHECK(printable("caf\xC3\xA9") == "caf\xC3\xA9");
  CHECK(printable("a\nb\x1b[0m\xff") == "a\\x0ab\\x1b[0m\\xff");
  CHECK(printable("abcdef", 3) == "abc…");
}

TEST_CASE("split keeps empty pieces, split_words does not") {
  CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string_view>{""});
  CHECK(split_words("  a \t b\n") == std::vector<std::string_view>{"a", "b"});
}
