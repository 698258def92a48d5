#include "core/deaths/hang_diagnosis.h"
#include "core/deaths/memory_guard.h"
#include "support/catch.h"

using namespace ni;

namespace {

constexpr Incarnation kWorker{7};
constexpr Bytes kAllowed{100 * kMiB};

ThreadLook look(char state, Duration cpu, std::string system_call = {}) {
  return {.state = state,
          .cpu = cpu,
          .kernel_function = {},
          .system_call = std::move(system_call),
          .started = {}};
}

}  // namespace

TEST_CASE("only a worker that stays above its memory is told of, and again while it stays there") {
  MemoryGuard guard;
  std::string told;
  for (const bool above : {true, true, false, true, true, true, true, true, true}) {
    const Bytes used{(above ? 101 : 100) * kMiB};
    told += guard.look(kWorker, used, kAllowed) ? '!' : '.';
  }
  CHECK(told == ".....!..!");
}

TEST_CASE("workers are counted apart, and those that are gone are forgotten") {
  MemoryGuard guard;
  const Bytes much{kGiB};
  CHECK_FALSE(guard.look(kWorker, much, kAllowed));
  CHECK_FALSE(guard.look(Incarnation{8}, much, kAllowed));
  CHECK_FALSE(guard.look(kWorker, much, kAllowed));
  guard.forget(kWorker);
  CHECK_FALSE(guard.look(kWorker, much, kAllowed));
  CHECK_FALSE(guard.look(Incarnation{8}, much, kAllowed));
  CHECK(guard.look(Incarnation{8}, much, kAllowed));
}

TEST_CASE("a share of memory needs a limit") {
  CHECK(memory_allowed(MemoryAmount{.bytes = kAllowed}, std::nullopt) == kAllowed);
  CHECK(memory_allowed(MemoryAmount{.percent = 90}, kAllowed) == Bytes{90 * kMiB});
  CHECK_FALSE(memory_allowed(MemoryAmount{.percent = 90}, std::nullopt));
  CHECK_FALSE(memory_allowed(std::nullopt, kAllowed));
}

TEST_CASE("what a main thread does is told from two looks at it") {
  using enum HangDiagnosis::Finds;
  struct Case {
    ThreadLook first;
    ThreadLook second;
    HangDiagnosis::Finds finds;
    std::string_view says;
  };
  const std::vector<Case> cases = {
      {look('R', 1s), look('R', 1240ms), computing, "computes without a pause (96% of a CPU)"},
      {look('S', 1s), look('R', 1200ms), computing, "80%"},
      {look('R', 1s), look('R', 1010ms), starved, "hardly gets a CPU (4%)"},
      {look('S', 1s, "futex"), look('S', 1s, "futex"), waiting, "waits in futex (Atomics.wait"},
      {look('S', 1s, "epoll_wait"), look('S', 1s, "epoll_wait"), waiting, "execSync"},
      {look('D', 1s), look('D', 1s), waiting, "stuck in the kernel"},
      {look('S', 1s), look('S', 1s), waiting, "its main thread waits"},
      {look('S', 1s), look('T', 1s), stopped, "SIGSTOP"},
      {look('t', 1s), look('t', 1s), traced, "debugger"},
      {look('T', 1s), look('S', 1s, "epoll_wait"), resumed, "until a moment ago"},
  };
  for (const Case& each : cases) {
    const HangDiagnosis found = diagnose(each.first, each.second, 250ms);
    INFO(found.text);
    CHECK(found.finds == each.finds);
    CHECK(found.text.find(each.says) != std::string::npos);
  }
}

TEST_CASE("a diagnosis names what the worker has started, but not all of it") {
  ThreadLook waits = look('S', 0s, "wait4");
  waits.started = {"1 (a)", "2 (b)", "3 (c)", "4 (d)"};
  const std::string text = diagnose(waits, waits, 250ms).text;
  CHECK(text.find("it has started 1 (a), 2 (b), 3 (c)") != std::string::npos);
  CHECK(text.find("4 (d)") == std::string::npos);
}
