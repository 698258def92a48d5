#include "wire/json.h"

#include <limits>

#include "support/catch.h"

using ni::wire::Json;

TEST_CASE("JSON text is parsed and looked into without checks on the way") {
  const auto json = Json::parse(R"( {"a":{"b":[1,2.5,"x",null,true]},"n":-98} )");
  REQUIRE(json);
  CHECK(json->at("a").at("b").size() == 5);
  CHECK(json->at("a").at("b").at(1).number() == 2.5);
  CHECK(json->at("a").at("b").at(2).equals("x"));
  CHECK(json->at("a").at("b").at(3).is_null());
  CHECK(json->at("a").at("b").at(4).boolean() == true);
  CHECK(json->at("n").integer() == -98);
  CHECK_FALSE(json->at("x").at("y").at(7).string());
  CHECK(json->members().front().first == "a");
}

TEST_CASE("a JSON text is written in the order in which it was built") {
  const Json json =
      Json::object({{"z", 1}, {"a", nullptr}, {"m", true}, {"s", "q\"\n"}, {"r", 0.5}});
  CHECK(json.text() == R"({"z":1,"a":null,"m":true,"s":"q\"\n","r":0.5})");
  CHECK(Json::array({1, "two", Json::object()}).text() == R"([1,"two",{}])");
  CHECK(Json().text().empty());
  CHECK(Json("x").text() == "\"x\"");
}

TEST_CASE("changing a copy of a JSON value leaves the first as it was") {
  const Json first = Json::object({{"a", 1}});
  Json second = first;
  second.set("a", 2).set("b", Json::array());
  Json inner = second.at("b");
  inner.push(1);
  CHECK(first.text() == R"({"a":1})");
  CHECK(second.text() == R"({"a":2,"b":[]})");
  CHECK(inner.text() == "[1]");
  second.set("self", second);
  CHECK(second.text() == R"({"a":2,"b":[],"self":{"a":2,"b":[]}})");
}

TEST_CASE("an absent member is left out of what is built") {
  CHECK(Json::object({{"a", Json()}, {"b", 1}}).text() == R"({"b":1})");
}

TEST_CASE("text that is no JSON, too long or too deep is an error") {
  CHECK_FALSE(Json::parse(""));
  CHECK_FALSE(Json::parse("{"));
  CHECK_FALSE(Json::parse("1 2"));
  CHECK(Json::parse(R"({"a":1,"a":2})")->at("a").integer() == 2);
  CHECK_FALSE(Json::parse("99999999999999999999"));
  CHECK_FALSE(Json::parse("[1,2]", {.bytes = 4}));
  CHECK_FALSE(Json::parse("[[[]]]", {.depth = 2}));
  CHECK(Json::parse("[[]]", {.depth = 2}));
  CHECK(Json::parse(R"(["[[[[[{{{\"["])", {.depth = 1}));
  CHECK_FALSE(Json::parse(std::string(100'000, '[')));
}

TEST_CASE("strings with NUL pass, and bytes that are not UTF-8 are replaced") {
  const auto json = Json::parse(R"({"a":"\u0000x"})");
  REQUIRE(json);
  CHECK(json->at("a").string() == std::string("\0x", 2));
  CHECK(Json("a\xFFz\xC3").string() == "a\xEF\xBF\xBDz\xEF\xBF\xBD");
  CHECK(Json(std::numeric_limits<double>::infinity()).is_null());
}
