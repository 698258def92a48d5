#include "app/logs/log.h"

#include <string>

#include "support/catch.h"
#include "wire/json.h"

using ni::LogFormat;
using ni::LogLevel;
using ni::app::Log;

namespace {

struct Recorder {
  std::string lines;
  bool full = false;
  Log::Sink sink() {
    return [this](std::string_view line) {
      if (!full) lines += line;
      return !full;
    };
  }
};

}  // namespace

TEST_CASE("a message is one line of text, its control bytes made harmless") {
  Recorder recorder;
  Log log;
  log.send_to(recorder.sink());
  log.info("worker_ready", "slot 0: worker 12 is ready", {{"slot", 0}});
  log.warn("odd", "a\x1b[31mb\nsecond");
  CHECK(recorder.lines ==
        "nodeinit: slot 0: worker 12 is ready\n"
        "nodeinit: warning: a\\x1b[31mb\nnodeinit:   second\n");
}

TEST_CASE("a message in JSON carries event, level and typed fields") {
  Recorder recorder;
  Log log(LogLevel::info, LogFormat::json);
  log.send_to(recorder.sink());
  log.error("worker_died", "it \"died\"\n", {{"slot", 3U}, {"cause", "crashed"}, {"core", true}});
  const auto json = ni::wire::Json::parse(recorder.lines);
  REQUIRE(json);
  CHECK(json->at("level").equals("error"));
  CHECK(json->at("event").equals("worker_died"));
  CHECK(json->at("message").equals("it \"died\"\n"));
  CHECK(json->at("slot").integer() == 3);
  CHECK(json->at("cause").equals("crashed"));
  CHECK(json->at("core").boolean() == true);
  CHECK(json->at("time").string()->size() == 24);
}

TEST_CASE("messages below the level are not made") {
  Recorder recorder;
  Log log(LogLevel::warn);
  log.send_to(recorder.sink());
  log.info("x", "x");
  log.debug("x", "x");
  CHECK(recorder.lines.empty());
  CHECK(log.lost() == 0);
}

TEST_CASE("lost messages are counted and told of when there is room again") {
  Recorder recorder;
  Log log;
  log.send_to(recorder.sink());
  recorder.full = true;
  log.info("x", "one");
  log.info("x", "two");
  recorder.full = false;
  log.info("x", "three");
  CHECK(log.lost() == 2);
  CHECK(recorder.lines ==
        "nodeinit: warning: 2 messages of nodeinit were lost, stderr did not take them\n"
        "nodeinit: three\n");
}
