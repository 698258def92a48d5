#include "wire/log_lines.h"

#include <string>
#include <vector>

#include "base/text.h"
#include "support/catch.h"
#include "wire/json.h"
#include "wire/json_scan.h"

using namespace ni::wire;

namespace {

using Rest = LineCutter::Rest;

constexpr std::int64_t kNow = 1'709'210'096'789'000'000;  // 2024-02-29T12:34:56.789Z

LogOrigin web(LogStream stream = LogStream::out) {
  return {.program = "web", .slot = 3, .pid = 12, .stream = stream};
}

// Feeds the pieces one after the other, as a pump does; what comes out.
std::string through(LineCutter& cutter, const std::vector<std::string>& pieces) {
  std::string kept;
  std::string out;
  fmt::memory_buffer scratch;
  const auto drain = [&](bool last) {
    while (true) {
      const LineCutter::Cut cut =
          cutter.cut(kept, last ? Rest::is_a_line : Rest::waits, kNow, scratch);
      out += cut.ready;
      if (cut.used == 0) break;
      kept.erase(0, cut.used);
    }
  };
  for (const std::string& piece : pieces) {
    kept += piece;
    drain(false);
  }
  drain(true);
  CHECK(kept.empty());
  return out;
}

std::string rendered(const LogRendering& rendering, const std::vector<std::string>& pieces) {
  LineCutter cutter(rendering, web());
  return through(cutter, pieces);
}

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (const std::string_view line : ni::split(text, '\n')) {
    if (line.empty()) continue;
    auto json = Json::parse(line);
    CAPTURE(line);
    REQUIRE(json);
    lines.push_back(*std::move(json));
  }
  return lines;
}

const LogRendering kLines{};
const LogRendering kAsIs{.shape = LogShape::as_is};
const LogRendering kPrefix{.shape = LogShape::prefix};
const LogRendering kJson{.shape = LogShape::json};

}  // namespace

TEST_CASE("whole lines leave every byte as it was") {
  const std::string odd("a\n\n\r\nb\r\n\0\x1b[1m\xff\n\n", 16);
  CHECK(rendered(kLines, {odd}) == odd);
  std::vector<std::string> bytes;
  for (const char byte : odd) bytes.emplace_back(1, byte);
  CHECK(rendered(kLines, bytes) == odd);
}

TEST_CASE("a line that came in pieces goes out whole, an unfinished one waits") {
  LineCutter cutter(kLines, web());
  fmt::memory_buffer scratch;
  CHECK(cutter.cut("half a", Rest::waits, kNow, scratch).used == 0);
  const LineCutter::Cut cut = cutter.cut("half a line\nnext", Rest::waits, kNow, scratch);
  CHECK(cut.ready == "half a line\n");
  CHECK(cut.used == 12);
  CHECK(cut.lines == 1);
}

TEST_CASE("the beginning of a line that has to pass goes on where it was, or begins anew") {
  fmt::memory_buffer scratch;
  const auto passed = [&](LineCutter& cutter, std::string_view text) {
    const LineCutter::Cut cut = cutter.cut(text, Rest::passes, kNow, scratch);
    CHECK(cut.used == text.size());
    return std::string(cut.ready) + "/" + std::to_string(cut.lines);
  };
  LineCutter lines(kLines, web());
  CHECK(passed(lines, "a\nPassword: ") == "a\nPassword: /1");
  CHECK(passed(lines, "\n") == "\n/1");
  LineCutter prefixed(kPrefix, web());
  CHECK(passed(prefixed, "a\n10%") == "3 out | a\n3 out | 10%/1");
  CHECK(passed(prefixed, " 20%") == " 20%/0");
  CHECK(passed(prefixed, "\nnext\n") == "\n3 out | next\n/2");
  CHECK(passed(prefixed, "half") == "3 out | half/0");
  prefixed.interrupted();
  CHECK(passed(prefixed, " rest\n") == "3 out |  rest\n/1");
  LineCutter json(kJson, web());
  CHECK(json.cut("half", Rest::passes, kNow, scratch).used == 0);
}

TEST_CASE("as it is, what is there goes out at once, whole lines or not") {
  LogRendering small = kAsIs;
  small.largest_line = 4;
  LineCutter cutter(small, web());
  fmt::memory_buffer scratch;
  for (const auto& [text, lines] : {std::pair{"half a", 0U},
                                    {"longer than the bound", 0U},
                                    {" line\n\nnext", 2U},
                                    {"\xF0\x9F", 0U},
                                    {"\x98\x80\r\n", 1U}}) {
    const LineCutter::Cut cut = cutter.cut(text, Rest::waits, kNow, scratch);
    CHECK(cut.ready == text);
    CHECK(cut.used == cut.ready.size());
    CHECK(cut.lines == lines);
  }
  CHECK(cutter.cut("", Rest::is_a_line, kNow, scratch).ready.empty());
  CHECK(cutter.cut("the rest", Rest::is_a_line, kNow, scratch).ready == "the rest");
  CHECK(cutter.lines_split() == 0);
}

TEST_CASE("a last line without newline keeps to it, but in JSON") {
  CHECK(rendered(kLines, {"a\nb"}) == "a\nb");
  CHECK(rendered(kPrefix, {"a\nb"}) == "3 out | a\n3 out | b");
  CHECK(rendered(kJson, {"b"}).back() == '\n');
  CHECK(rendered(kLines, {}).empty());
}

TEST_CASE("a prefix names slot and stream, and the program when asked") {
  CHECK(rendered(kPrefix, {"x\n\n"}) == "3 out | x\n3 out | \n");
  LogRendering named = kPrefix;
  named.show_program = true;
  LineCutter err(named, web(LogStream::err));
  CHECK(through(err, {"x\n"}) == "web/3 err | x\n");
  named.colour = true;
  LineCutter coloured(named, web());
  CHECK(through(coloured, {"x\n"}).ends_with("\x1b[0m x\n"));
}

TEST_CASE("a line in JSON tells whose it is") {
  CHECK(rendered(kJson, {"say \"hi\"\r\n"}) ==
        R"({"time":"2024-02-29T12:34:56.789Z","program":"web","slot":3,"pid":12,"stream":"stdout",)"
        R"("level":"info","message":"say \"hi\"\r"})"
        "\n");
  LineCutter err(kJson, web(LogStream::err));
  CHECK(json_lines(through(err, {"oh\n"}))[0].at("level").equals("error"));
}

TEST_CASE("a stack trace is one message in JSON, with what error it is and what it was caused by") {
  const std::string trace =
      "Error: no\n    at f (/app/a.js:1:7)\n    at node:internal/x:2:3 {\n  code: 'E',\n"
      "  [cause]: Error: deeper\n      at g (/app/b.js:1:1)\n}\n";
  const std::string text = "before\n" + trace + "after\n  indented\n";
  const auto json = json_lines(rendered(kJson, {text}));
  REQUIRE(json.size() == 4);
  CHECK(json[0].at("message").equals("before"));
  CHECK(json[1].at("message").equals(trace.substr(0, trace.size() - 1)));
  CHECK(json[2].at("message").equals("after"));
  CHECK(json[3].at("message").equals("  indented"));
  SECTION("its lines are counted") {
    LineCutter cutter(kJson, web());
    fmt::memory_buffer scratch;
    CHECK(cutter.cut(text, LineCutter::Rest::waits, 0, scratch).lines == 10);
  }
  SECTION("no longer than a line may be, and only what is there as whole lines") {
    LogRendering small = kJson;
    small.largest_line = 30;
    CHECK(json_lines(rendered(small, {"Error: no\n    at f (a.js)\n    at g (a.js)\n"})).size() ==
          2);
    CHECK(json_lines(rendered(kJson, {"Error: no\n    at", " f (a.js)\n"})).size() == 2);
  }
  SECTION("an object is one already, and other shapes stay as they are") {
    CHECK(json_lines(rendered(kJson, {"{\"a\":1}\n    at f (a.js)\n"})).size() == 2);
    CHECK(rendered(kLines, {trace}) == trace);
  }
}

TEST_CASE("a JSON object is kept and gets the fields that it does not have") {
  CHECK(rendered(kJson, {R"({"level":30,"time":1,"pid":7,"msg":"x"})"
                         "\n"}) ==
        R"({"level":30,"time":1,"pid":7,"msg":"x","program":"web","slot":3,"stream":"stdout"})"
        "\n");
  CHECK(json_lines(rendered(kJson, {" { } \r\n"}))[0].at("slot").integer() == 3);
  CHECK(json_lines(rendered(kJson, {"{\"a\":{\"slot\":1}}\n"}))[0].at("slot").integer() == 3);
  const auto text = json_lines(rendered(kJson, {"{\"a\":1} tail\n{broken\n[1]\n"}));
  CHECK(text[0].at("message").equals("{\"a\":1} tail"));
  CHECK(text[1].at("message").equals("{broken"));
  CHECK(text[2].at("message").equals("[1]"));
}

TEST_CASE("a JSON object may be wrapped") {
  LogRendering wrapping = kJson;
  wrapping.wrap_json = true;
  const auto json = json_lines(rendered(wrapping, {"{\"pid\":7}\n"}));
  CHECK(json[0].at("pid").integer() == 12);
  CHECK(json[0].at("message").at("pid").integer() == 7);
}

TEST_CASE("a line that is not UTF-8 keeps its exact bytes beside the message") {
  const auto json = json_lines(rendered(kJson, {"a\xff\n"}));
  CHECK(json[0].at("message").equals("a\xEF\xBF\xBD"));
  CHECK(json[0].at("message_base64").equals("Yf8="));
}

TEST_CASE("a line longer than the bound is cut there and marked") {
  LogRendering small = kLines;
  small.largest_line = 4;
  CHECK(rendered(small, {"1234\n5"}) == "1234\n5");
  CHECK(rendered(small, {"12345\nx\n"}) ==
        "1234[nodeinit: slot 3 stdout, line continues]\n"
        "[nodeinit: slot 3 stdout, continued]5\nx\n");
  SECTION("wherever the reads ended") {
    CHECK(rendered(small, {"123", "4", "56789", "\n", "x\n"}) ==
          rendered(small, {"123456789\nx\n"}));
  }
  SECTION("not within a character") {
    CHECK(rendered(small, {"12\xF0\x9F\x98\x80\n"}).starts_with("12[nodeinit"));
    CHECK(rendered(small, {"\x80\x80\x80\x80\x80\n"}).starts_with("\x80\x80\x80\x80[nodeinit"));
  }
  SECTION("in JSON by parts") {
    small.shape = LogShape::json;
    const auto json = json_lines(rendered(small, {"123456789\n"}));
    REQUIRE(json.size() == 3);
    CHECK(json[0].at("part").integer() == 1);
    CHECK(json[2].at("part").integer() == 3);
    CHECK(json[2].at("message").equals("9"));
    CHECK(json[2].at("last_part").boolean() == true);
    CHECK_FALSE(json[1].at("last_part"));
  }
}

TEST_CASE("what is rendered at once has a bound") {
  LineCutter cutter(kJson, web());
  const std::string blank(100'000, '\n');
  fmt::memory_buffer scratch;
  const LineCutter::Cut cut = cutter.cut(blank, Rest::waits, kNow, scratch);
  CHECK(cut.used < blank.size());
  CHECK(cut.used == cut.lines);
  CHECK(scratch.size() < LineCutter::kBlock + 200);
}

TEST_CASE("the scanner knows a JSON object") {
  const auto is_object = [](std::string_view text) { return scan_json_object(text, {}).is_object; };
  for (const char* yes :
       {"{}", "{ }", R"({"a":[],"b":[{},[1,-0.5e+3,true,null]]})", R"({"\ud83d\ude00":"é"})"}) {
    CAPTURE(yes);
    CHECK(is_object(yes));
  }
  for (const char* no : {"",
                         "{",
                         "}",
                         "[]",
                         "1",
                         "{,}",
                         R"({"a"})",
                         R"({"a":})",
                         R"({"a":1,})",
                         R"({"a":01})",
                         R"({"a":1.})",
                         R"({"a":.5})",
                         R"({"a":1e})",
                         R"({"a":+1})",
                         R"({"a":[1,]})",
                         R"({"a":[}])",
                         R"({a:1})",
                         R"({"a":'b'})",
                         R"({"a":"\x"})",
                         R"({"a":"\u12g4"})",
                         R"({"a":"\ud800"})",
                         R"({"a":tru})",
                         "{\"a\":\"\n\"}",
                         "{\"a\":\"\xff\"}",
                         R"({"a":1}{})",
                         R"({"a" 1})",
                         "{}x"}) {
    CAPTURE(no);
    CHECK_FALSE(is_object(no));
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 63; ++i) deep += '[';
  std::string close;
  for (int i = 0; i < 63; ++i) close += ']';
  CHECK(is_object(deep + close + "}"));
  CHECK_FALSE(is_object(deep + "[]" + close + "}"));
}

TEST_CASE("newlines are counted in texts of every length") {
  std::string text;
  std::uint64_t lines = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    REQUIRE(count_lines(text) == lines);
    const bool newline = i < 500 || i % 7 == 3;  // also where every byte is one
    text += newline ? '\n' : static_cast<char>(i);
    lines += text.back() == '\n' ? 1 : 0;
  }
}
