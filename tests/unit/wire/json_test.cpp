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

TEST_CASE("of members with one name the last counts, at the place of the first") {
  const auto json = Json::parse(R"({"a":1,"b":2,"a":3,"c":4,"b":5,"a":6})");
  REQUIRE(json);
  CHECK(json->text() == R"({"a":6,"b":5,"c":4})");
}

TEST_CASE("numbers are written with the fewest digits that are read as the same") {
  for (const char* text : {"0.1", "1.5", "1e+300", "-2.5e-07", "0.30000000000000004", "3.0"}) {
    CHECK(Json::parse(text)->text() == text);
  }
  CHECK(Json(2.0).text() == "2.0");
  CHECK(Json::parse("-9223372036854775808")->integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(Json::parse("9223372036854775808")->number() == 9223372036854775808.0);
  CHECK_FALSE(Json::parse("9223372036854775808")->integer());
  CHECK_FALSE(Json::parse("1e999"));
  for (const char* text : {"01", "-", "1.", ".5", "1e", "+1", "0x1", "nan", "1e+", "--1"}) {
    CHECK_FALSE(Json::parse(text));
  }
}

TEST_CASE("escapes are read, and what is no JSON string is refused") {
  CHECK(Json::parse(R"("\u00e9\u20AC\ud83d\ude00\b\/")")->string() == "é€😀\b/");
  for (const char* text : {R"("\x41")", R"("\u12g4")", R"("\u+123")", "\"\x01\"", "\"\xFF\"",
                           "\"\xED\xA0\x80\"", R"(")", R"("\)", R"("\u12)"}) {
    CHECK_FALSE(Json::parse(text));
  }
}

TEST_CASE("half of a surrogate pair is no character, and no reason to lose the rest") {
  CHECK(Json::parse(R"("\ud83d")")->string() == "\xEF\xBF\xBD");
  CHECK(Json::parse(R"("\ude00\ud83dx")")->string() == "\xEF\xBF\xBD\xEF\xBF\xBDx");
  CHECK(Json::parse(R"("\ud83d\u0041")")->string() ==
        "\xEF\xBF\xBD"
        "A");
}

TEST_CASE("what is wrong with a JSON text is told with its place") {
  CHECK(Json::parse("{\n  \"a\" 1}").error().reason == "line 2, column 7: ':' was expected");
  CHECK(Json::parse("[[1]]", {.depth = 1}).error().reason ==
        "line 1, column 2: more than 1 levels deep");
}

TEST_CASE("JSON for people has a line for each member and element") {
  CHECK(Json::parse(R"({"a":[1,{}],"b":[]})")->indented_text() ==
        "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}
