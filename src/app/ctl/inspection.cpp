#include "app/ctl/inspection.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "app/ctl/inspector.h"
#include "base/text.h"

namespace ni::app {
namespace {

using wire::Json;

// What is a string that an expression makes. The stack is an Error's: it shows builtin functions
// (JSON.parse), and with --enable-source-maps the lines of the sources. The lines of our own script
// are not in it.
struct Question {
  std::string_view verb;
  std::string_view body;
};
constexpr std::array<Question, 3> kQuestions = {
    {{"stack",
      "const E=Error,l=E.stackTraceLimit,p=E.prepareStackTrace;"
      "try{E.stackTraceLimit=100;E.prepareStackTrace=undefined;return String(new E().stack)"
      ".split('\\n').slice(1).filter(f=>!f.includes('nodeinit-ctl:')).join('\\n')}"
      "finally{E.stackTraceLimit=l;E.prepareStackTrace=p}"},
     {"heap-stats",
      "const v8=require('v8');return JSON.stringify({memoryUsage:process.memoryUsage(),"
      "heap:v8.getHeapStatistics(),spaces:v8.getHeapSpaceStatistics()},null,2)"},
     // Names that it would look up take seconds (excludeNetwork); the environment is secret.
     {"report",
      "const r=process.report,n=r.excludeNetwork;try{r.excludeNetwork=true;"
      "const t=r.getReport();delete t.environmentVariables;return JSON.stringify(t,null,2)}"
      "finally{r.excludeNetwork=n}"}}};
constexpr std::string_view kProfile = "cpu-profile";
constexpr std::string_view kSnapshot = "heap-snapshot";
constexpr Duration kProfileTime = 10s;
constexpr int kMoreTries = 3;  // another client's inspector is closed while we ask

void tell(std::string_view text) {
  const std::string line = "nodeinit ctl: " + printable_lines(text) + "\n";
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) {
    return;  // nobody is left to hear of a failure
  }
}

// To stdout, which may be slow or not block. False: nobody reads it any more.
bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      ::pollfd poll{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      (void)::poll(&poll, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

Error of(const std::string& who, const Error& why) {
  return Error{.operation = "inspect", .subject = who, .code = why.code, .reason = why.reason};
}

// {"chunk": "…"}; each is a hundred kilobytes or so.
bool write_chunk(std::string_view parameters) {
  const auto json = Json::parse(parameters, {.bytes = wire::InspectorStream::kLongestMessage});
  const auto chunk = json ? json->at("chunk").string() : std::nullopt;
  return chunk && write_all(*chunk);
}

void show(std::string_view verb, std::string text, const std::string& who) {
  if (verb == "stack") {
    text = printable_lines(who + (text.empty() ? ": no JavaScript runs, its event loop waits"
                                               : ", JavaScript of its main thread:\n" + text));
  }
  (void)write_all(text + "\n");
}

Result<void> profile(Inspector& inspector, Duration time) {
  NI_TRY(std::string done, inspector.call("Profiler.enable"));
  NI_TRY(done, inspector.call("Profiler.start"));
  auto waited = inspector.wait(time);
  NI_TRY(done, inspector.call("Profiler.stop"));
  constexpr std::string_view kBegin = R"({"profile":)";
  if (!done.starts_with(kBegin)) {
    return Error{.reason = "what it has answered is no profile"};
  }
  (void)write_all(std::string_view(done).substr(kBegin.size(), done.size() - kBegin.size() - 1));
  return waited;
}

Result<void> snapshot(Inspector& inspector) {
  NI_TRY(const std::string done,
         inspector.call("HeapProfiler.takeHeapSnapshot", R"({"reportProgress":false})",
                        Inspector::kLongSilence, "HeapProfiler.addHeapSnapshotChunk", write_chunk));
  return {};
}

}  // namespace

bool is_inspection(std::string_view verb) {
  return verb == kProfile || verb == kSnapshot ||
         std::ranges::find(kQuestions, verb, &Question::verb) != kQuestions.end();
}

Json find_slot(const Json& programs, std::string_view program, unsigned number) {
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const Json candidate = programs.at(i);
    if (program.empty() ? programs.size() > 1 : !candidate.at("name").equals(program)) continue;
    const Json slots = candidate.at("slots");
    for (std::size_t j = 0; j < slots.size(); ++j) {
      if (slots.at(j).at("slot").integer() == number) return slots.at(j);
    }
  }
  return {};
}

Result<void> inspect(std::string_view verb, const Json& slot, std::optional<Duration> time) {
  const std::string name = fmt::format("slot {}", slot.at("slot").integer().value_or(0));
  const Json told = slot.at("inspector");
  const auto pid = Pid::from(static_cast<int>(told.at("pid").integer().value_or(0)));
  if (!pid) {
    return of(name, {.reason = slot.at("pid") ? "its worker is no Node that nodeinit knows"
                                              : "it has no worker"});
  }
  using enum InspectedWorker::Usr1;
  const Json usr1 = told.at("usr1");
  const InspectedWorker worker{.pid = *pid,
                               .port = static_cast<int>(told.at("port").integer().value_or(0)),
                               .usr1 = usr1.equals("node")      ? node
                                       : usr1.equals("program") ? program
                                                                : unknown};
  const std::string who = fmt::format("{}, process {}", name, pid->value());
  const auto* const question = std::ranges::find(kQuestions, verb, &Question::verb);
  const bool is_question = question != kQuestions.end();
  for (int more = kMoreTries;; --more) {
    auto opened = Inspector::open(
        worker, [&](const std::string& note) { tell(std::string(who).append(": ").append(note)); });
    if (!opened) {
      return of(who, opened.error());
    }
    // A question is answered by the worker alone; a method by whoever has the port.
    auto answer = opened->evaluate(is_question ? question->body : "return ''");
    if (!answer && opened->was_lost() && more > 0) {
      continue;
    }
    Result<void> done;
    if (!answer) {
      done = answer.error();
    } else if (is_question) {
      show(verb, *std::move(answer), who);
    } else {
      done = verb == kProfile ? profile(*opened, time.value_or(kProfileTime)) : snapshot(*opened);
    }
    if (!opened->close()) {
      tell(who + ": its inspector stays open until its main thread is back in JavaScript");
    }
    return done ? done : of(who, done.error());
  }
}

}  // namespace ni::app
