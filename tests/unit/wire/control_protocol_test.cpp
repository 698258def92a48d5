#include "wire/control_protocol.h"

#include "support/catch.h"

using namespace ni;
using namespace ni::wire;

TEST_CASE("a request comes back from its line as it was") {
  const ControlRequest scale{.verb = ControlVerb::scale,
                             .program = "web",
                             .slot = {},
                             .signal = {},
                             .amount = -2,
                             .relative = true};
  CHECK(
      to_line(scale) ==
      "{\"nodeinit\":1,\"verb\":\"scale\",\"program\":\"web\",\"amount\":-2,\"relative\":true}\n");
  const auto again = parse_control_request(to_line(scale));
  REQUIRE(again);
  CHECK(to_line(*again) == to_line(scale));
  const auto hup = parse_control_request(
      to_line({.verb = ControlVerb::signal, .program = {}, .slot = 3, .signal = signals::hup}));
  REQUIRE(hup);
  CHECK(hup->signal == signals::hup);
  CHECK(hup->slot == 3U);
}

TEST_CASE("what is no request is refused with a reason") {
  const auto reason = [](std::string_view line) {
    const auto request = parse_control_request(line);
    return request ? std::string("accepted") : request.error().reason;
  };
  CHECK(reason("{}") == "no \"nodeinit\" version in it");
  CHECK(reason("{\"nodeinit\":2,\"verb\":\"status\"}") ==
        "version 2 is spoken, version 1 is understood");
  CHECK(reason("{\"nodeinit\":1,\"verb\":\"explode\"}") == "unknown verb \"explode\"");
  CHECK(reason("{\"nodeinit\":1,\"verb\":\"restart\"}") == "restart needs a slot");
  CHECK(reason("{\"nodeinit\":1,\"verb\":\"restart\",\"slot\":-1}") == "there is no such slot");
  CHECK(reason("{\"nodeinit\":1,\"verb\":\"signal\",\"signal\":99}") == "signal needs a signal");
  CHECK(reason("{\"nodeinit\":1,\"verb\":\"scale\",\"amount\":0}") ==
        "scale needs at least one worker");
  CHECK(reason("GET / HTTP/1.1") != "accepted");
  CHECK(reason(std::string(kLongestRequest + 1, ' ')) != "accepted");
}

TEST_CASE("a reply comes back from its line as it was") {
  const ControlReply reply{
      .more = true, .ok = false, .message = "no", .data = Json::object({{"a", 1}})};
  const auto again = parse_control_reply(to_line(reply));
  REQUIRE(again);
  CHECK(again->more);
  CHECK_FALSE(again->ok);
  CHECK(again->message == "no");
  CHECK(again->data.at("a").integer() == 1);
  CHECK_FALSE(parse_control_reply("{\"nodeinit\":1}"));
}
