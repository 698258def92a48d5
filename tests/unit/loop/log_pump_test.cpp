#include "loop/log_pump.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "support/catch.h"

using namespace ni;
using namespace ni::loop;
using ni::sys::UniqueFd;

namespace {

struct Output {
  Output() {
    auto pipe = sys::make_pipe();
    REQUIRE(pipe);
    reader = std::move(pipe->read_end);
    writer = std::move(pipe->write_end);
    REQUIRE(sys::set_nonblocking(reader.get()));
  }
  // What is there now.
  std::string read() {
    std::string out;
    char buffer[65536];
    for (ssize_t count = 0; (count = ::read(reader.get(), buffer, sizeof buffer)) > 0;) {
      out.append(buffer, static_cast<std::size_t>(count));
    }
    return out;
  }
  UniqueFd reader, writer;
};

struct Loop {
  Loop() { REQUIRE(uv_loop_init(&loop) == 0); }
  ~Loop() {
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  void turn(int times = 8) {
    for (int i = 0; i < times; ++i) uv_run(&loop, UV_RUN_NOWAIT);
  }
  uv_loop_t loop{};
};

void write_all(const UniqueFd& fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

// More than a widened pipe takes, in pieces that fit a worker's: a line of each letter.
constexpr int kPieces = 6;
std::string piece(int number) {
  return std::string(60'000, static_cast<char>('a' + number)) + "\n";
}
static_assert(kPieces * 60'001 > LogOutlet::kPipeRoom);

struct Bench {
  explicit Bench(LogSettings settings = {})
      : pump(
            &loop.loop, settings,
            [this](wire::LogStream stream, int error) { trouble.emplace_back(stream, error); },
            out.writer.get(), err.writer.get()) {}
  LogPump::Ends open(unsigned incarnation, bool after_failure = false) {
    auto ends = pump.open(Incarnation{incarnation}, "web", SlotId{incarnation - 1}, after_failure);
    REQUIRE(ends);
    return *std::move(ends);
  }
  Loop loop;
  Output out, err;
  std::vector<std::pair<wire::LogStream, int>> trouble;
  LogPump pump;
};

const LogSettings kPrefixed{.rendering = {.shape = wire::LogShape::prefix}};
const LogSettings kOnlyStderr{.reads = LogReads::only_stderr,
                              .rendering = {.shape = wire::LogShape::as_is}};
const LogSettings kAfterFailure{.reads = LogReads::only_stderr_after_failure,
                                .rendering = {.shape = wire::LogShape::as_is}};
const LogSettings kDropping{.rendering = {}, .when_full = WhenFull::drop};

}  // namespace

TEST_CASE("lines of two workers come out whole and apart by stream") {
  Bench bench(kPrefixed);
  const LogPump::Ends one = bench.open(1);
  const LogPump::Ends two = bench.open(2);
  write_all(one.out, "half");
  write_all(two.out, "b\n");
  write_all(two.err, "e\n");
  bench.loop.turn();
  CHECK(bench.out.read() == "1 out | b\n");
  CHECK(bench.err.read() == "1 err | e\n");
  write_all(one.out, " a\n\nrest");
  bench.loop.turn();
  CHECK(bench.out.read() == "0 out | half a\n0 out | \n");
  CHECK(bench.pump.idle());
}

TEST_CASE("text without a newline passes at once while one worker runs") {
  Bench bench;
  const LogPump::Ends one = bench.open(1);
  write_all(one.out, "Password: ");
  bench.loop.turn(1);
  CHECK(bench.out.read() == "Password: ");
  const LogPump::Ends two = bench.open(2);
  write_all(two.out, "other\n");
  bench.loop.turn();
  CHECK(bench.out.read() == "\nother\n");
  write_all(one.out, "ok\n");
  bench.loop.turn();
  CHECK(bench.out.read() == "ok\n");
}

TEST_CASE("beside others text without a newline passes after a pause, in JSON it waits") {
  const auto shape = GENERATE(wire::LogShape::lines, wire::LogShape::json);
  Bench bench({.rendering = {.shape = shape}});
  const LogPump::Ends one = bench.open(1);
  const LogPump::Ends two = bench.open(2);
  write_all(one.out, "50%");
  bench.loop.turn();
  CHECK(bench.out.read().empty());
  std::this_thread::sleep_for(3 * LogPump::kPause);
  bench.loop.turn();
  std::this_thread::sleep_for(3 * LogPump::kPause);
  bench.loop.turn();
  CHECK(bench.out.read() == (shape == wire::LogShape::lines ? "50%" : ""));
  write_all(one.out, " 100%\n");
  bench.loop.turn();
  CHECK(bench.out.read().find(shape == wire::LogShape::lines ? " 100%\n" : "50% 100%") !=
        std::string::npos);
}

TEST_CASE("the last words of a dead worker come out, and can be asked for") {
  Bench bench;
  {
    const LogPump::Ends ends = bench.open(1);
    write_all(ends.err, "first\nError: boom\n    at x\n");
    write_all(ends.out, "no newline");
  }
  bench.pump.closed(Incarnation{1});
  CHECK(bench.pump.last_words(Incarnation{1}) == "first\nError: boom\n    at x");
  CHECK(bench.out.read() == "no newline");
  CHECK(bench.err.read() == "first\nError: boom\n    at x\n");
  CHECK(bench.pump.idle());

  // What follows begins a line.
  const LogPump::Ends next = bench.open(2);
  write_all(next.out, "x\n");
  bench.loop.turn();
  CHECK(bench.out.read() == "\nx\n");
}

TEST_CASE("a pipe held by something the worker started ends nothing, and is still read") {
  Bench bench;
  const LogPump::Ends held = bench.open(1);
  write_all(held.out, "before\nunfinished");
  bench.pump.closed(Incarnation{1});
  CHECK(bench.pump.idle());
  CHECK(bench.out.read() == "before\nunfinished");
  write_all(held.out, "after\n");
  bench.loop.turn();
  CHECK(bench.out.read() == "\nafter\n");
}

TEST_CASE("held pipes have a bound") {
  Bench bench;
  std::vector<LogPump::Ends> held;
  for (unsigned i = 1; i <= LogPump::kMostOrphans + 10; ++i) {
    held.push_back(bench.open(i));
    bench.pump.closed(Incarnation{i});
  }
  bench.loop.turn();
  int broken = 0;
  for (const LogPump::Ends& ends : held) {
    const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    REQUIRE(sigaction(SIGPIPE, &ignore, nullptr) == 0);
    broken += ::write(ends.out.get(), "x", 1) < 0 ? 1 : 0;
  }
  CHECK(broken == 10);
}

TEST_CASE("a slow reader slows the writer, loses nothing and costs no memory") {
  Bench bench;
  const LogPump::Ends ends = bench.open(1);
  std::string text;
  for (int i = 0; text.size() < 3'000'000; ++i) text += "line " + std::to_string(i) + "\n";
  std::thread writer([&] { write_all(ends.out, text); });
  std::string got;
  while (got.size() < text.size()) {
    bench.loop.turn(3);
    // In the pipe that leads out, held, and read but not yet a line.
    CHECK(bench.pump.counters().streams[0].bytes - got.size() <
          LogOutlet::kPipeRoom + 3 * LogPump::kBlock);
    char piece[5000];
    const ssize_t count = ::read(bench.out.reader.get(), piece, sizeof piece);
    if (count > 0) got.append(piece, static_cast<std::size_t>(count));
  }
  writer.join();
  CHECK(got == text);
  CHECK(bench.pump.counters().waits > 10);
  CHECK(bench.pump.counters().lines_dropped == 0);
}

TEST_CASE("two workers share a slow output in turn") {
  Bench bench(kPrefixed);
  const LogPump::Ends one = bench.open(1);
  const LogPump::Ends two = bench.open(2);
  std::atomic<int> begun{0};
  const auto write_many = [&begun](const UniqueFd& fd) {
    for (int i = 0; i < 4000; ++i) {
      write_all(fd, std::string(199, 'x') + "\n");
      if (i == 0) ++begun;
    }
  };
  std::thread first([&] { write_many(one.out); });
  std::thread second([&] { write_many(two.out); });
  while (begun < 2) std::this_thread::yield();  // on a busy machine one of them begins late
  std::string got;
  while (got.size() < 600'000) {
    bench.loop.turn(1);
    got += bench.out.read();
  }
  const auto count = [&](std::string_view what) {
    int found = 0;
    for (std::size_t at = got.find(what); at != got.npos; at = got.find(what, at + 1)) ++found;
    return found;
  };
  // A good deal less than a block's worth.
  CHECK(count("0 out | ") > 100);
  CHECK(count("1 out | ") > 100);
  while (bench.pump.counters().streams[0].lines < 8000) {
    bench.loop.turn(1);
    (void)bench.out.read();
  }
  first.join();
  second.join();
}

TEST_CASE("a full output and a death together lose nothing") {
  Bench bench;
  std::string expected;
  {
    const LogPump::Ends ends = bench.open(1);
    for (int i = 0; i < kPieces; ++i) {
      write_all(ends.out, piece(i));
      bench.loop.turn();
      expected += piece(i);
    }
    write_all(ends.err, "bye\n");
  }
  bench.pump.closed(Incarnation{1});
  CHECK_FALSE(bench.pump.idle());
  CHECK(bench.pump.last_words(Incarnation{1}) == "bye");
  std::string got;
  while (!bench.pump.idle()) {
    got += bench.out.read();
    bench.loop.turn(2);
  }
  got += bench.out.read();
  CHECK(got == expected);
}

TEST_CASE("with the drop policy the writer never waits, and a line says what is missing") {
  Bench bench(kDropping);
  const LogPump::Ends ends = bench.open(1);
  const std::string line = std::string(99, 'x') + "\n";
  constexpr int kLines = 40'000;  // 4 MB, nobody reads
  std::thread writer([&] {
    for (int i = 0; i < kLines; ++i) write_all(ends.out, line);
  });
  while (bench.pump.counters().streams[0].lines < kLines) bench.loop.turn(1);
  writer.join();
  const LogCounters counters = bench.pump.counters();
  CHECK(counters.lines_dropped > 0);
  CHECK(counters.bytes_dropped == counters.lines_dropped * line.size());
  std::string got;
  while (!bench.pump.idle()) {
    got += bench.out.read();
    bench.loop.turn(2);
  }
  got += bench.out.read();
  const std::string notice =
      "nodeinit: warning: " + std::to_string(counters.lines_dropped) + " lines (";
  CHECK(got.find(notice) != got.npos);
  CHECK(got.size() > (kLines - counters.lines_dropped) * line.size());
}

TEST_CASE("an output that nobody reads any more is told of once and the workers go on") {
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  REQUIRE(sigprocmask(SIG_BLOCK, &pipe_only, nullptr) == 0);
  Bench bench;
  bench.out.reader.reset();
  const LogPump::Ends ends = bench.open(1);
  for (int i = 0; i < 5; ++i) {
    write_all(ends.out, "x\n");
    bench.loop.turn();
  }
  REQUIRE(bench.trouble.size() == 1);
  CHECK(bench.trouble[0] == std::pair{wire::LogStream::out, EPIPE});
  CHECK(bench.pump.counters().bytes_lost == 10);
  write_all(ends.err, "y\n");
  bench.loop.turn();
  CHECK(bench.err.read() == "y\n");
}

TEST_CASE("our own lines stand between the workers', never within") {
  Bench bench;
  const LogPump::Ends ends = bench.open(1);
  const LogPump::Ends other = bench.open(2);  // alone, it would not wait for the end of a line
  write_all(ends.err, "half a ");
  bench.loop.turn(1);
  CHECK(bench.pump.write_own("nodeinit: hello\n"));
  write_all(ends.err, "line\n");
  bench.loop.turn();
  CHECK(bench.err.read() == "nodeinit: hello\nhalf a line\n");

  // Nobody reads: they are refused before they fill the memory.
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    refused += bench.pump.write_own(std::string(99, 'o') + "\n") ? 0 : 1;
  }
  CHECK(refused > 5000);
}

TEST_CASE("finish takes what is left and waits for a slow reader, but not for ever") {
  Bench bench;
  const LogPump::Ends ends = bench.open(1);
  for (int i = 0; i < kPieces; ++i) {
    write_all(ends.out, piece(i));
    if (i + 1 < kPieces) bench.loop.turn();
  }
  bench.pump.finish(50ms);
  CHECK_FALSE(bench.pump.idle());
  std::thread reader([&] {
    std::string got;
    while (got.size() < kPieces * piece(0).size()) {
      usleep(1000);
      got += bench.out.read();
    }
  });
  bench.pump.finish(5s);
  CHECK(bench.pump.idle());
  reader.join();
}

TEST_CASE("nothing to be read means no pipes") {
  Bench bench({.reads = LogReads::nothing});
  const LogPump::Ends ends = bench.open(1, true);
  CHECK_FALSE(ends.out);
  CHECK_FALSE(ends.err);
  bench.pump.closed(Incarnation{1});
  CHECK_FALSE(bench.pump.last_words(Incarnation{1}));
}

TEST_CASE("only the stderr of whoever follows a failed one may be read") {
  Bench bench(kAfterFailure);
  CHECK_FALSE(bench.open(1).err);
  bench.pump.closed(Incarnation{1});
  CHECK_FALSE(bench.pump.last_words(Incarnation{1}));
  {
    const LogPump::Ends ends = bench.open(2, true);
    CHECK_FALSE(ends.out);
    REQUIRE(ends.err);
    write_all(ends.err, "first\n\nError: boom");
  }
  bench.pump.closed(Incarnation{2});
  CHECK(bench.pump.last_words(Incarnation{2}) == "first\n\nError: boom");
  CHECK(bench.err.read() == "first\n\nError: boom");
}

TEST_CASE("only stderr may be read, and passes on at once as it comes: an unfinished line, too") {
  Bench bench(kOnlyStderr);
  {
    const LogPump::Ends ends = bench.open(1);
    CHECK_FALSE(ends.out);
    REQUIRE(ends.err);
    for (const char* piece : {"password: ", ".", ".", "\n\nErr", "or: bo", "om"}) {
      write_all(ends.err, piece);
      bench.loop.turn();
      CHECK(bench.err.read() == piece);
    }
    CHECK(bench.pump.counters().streams[1].lines == 2);
    CHECK(bench.pump.last_words(Incarnation{1}) == "password: ..\n\nError: boom");
  }
  bench.pump.closed(Incarnation{1});
  CHECK(bench.pump.last_words(Incarnation{1}) == "password: ..\n\nError: boom");
  CHECK(bench.err.read().empty());

  // Another worker's text is no line of ours to end, our own message is a line.
  const LogPump::Ends next = bench.open(2);
  write_all(next.err, "!");
  bench.loop.turn();
  CHECK(bench.pump.write_own("nodeinit: hello\n"));
  write_all(next.err, "?");
  bench.loop.turn();
  CHECK(bench.err.read() == "!\nnodeinit: hello\n?");
}

TEST_CASE("what passes as it comes keeps every byte before a slow reader, without marks") {
  Bench bench(kOnlyStderr);
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += "no line " + std::to_string(i);
  std::string got;
  {
    const LogPump::Ends ends = bench.open(1);
    std::thread writer([&] { write_all(ends.err, text); });
    while (got.size() < text.size() / 2) {
      bench.loop.turn(3);
      char piece[5000];
      const ssize_t count = ::read(bench.err.reader.get(), piece, sizeof piece);
      if (count > 0) got.append(piece, static_cast<std::size_t>(count));
    }
    while (bench.pump.counters().streams[1].bytes < text.size()) {
      bench.loop.turn(1);
      got += bench.err.read();
    }
    writer.join();
  }
  bench.pump.closed(Incarnation{1});
  while (!bench.pump.idle()) {
    got += bench.err.read();
    bench.loop.turn(2);
  }
  got += bench.err.read();
  CHECK(got == text);
  CHECK(bench.pump.counters().lines_split == 0);
  CHECK(text.ends_with(bench.pump.last_words(Incarnation{1}).value_or("none")));
}
