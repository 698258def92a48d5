#include "loop/log_pump.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "sys/clock.h"
#include "sys/output.h"
#include "wire/json_text.h"

namespace ni::loop {
namespace {

using wire::LogStream;

// Before the read buffer: a beginning of a line up to this length is put in front of what is read,
// a longer one grows on its own.
constexpr std::size_t kFront = 4096;

std::size_t index_of(LogStream stream) {
  return static_cast<std::size_t>(stream);
}

std::int64_t wall_clock_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);  // cannot fail: the clock exists, the pointer is good
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::string dropped_notice(wire::LogShape shape, std::uint64_t lines, std::uint64_t bytes) {
  const std::string message = fmt::format(
      "{} lines ({} bytes) of workers' output were dropped: its reader is too slow", lines, bytes);
  if (shape != wire::LogShape::json) return "nodeinit: warning: " + message + "\n";
  return fmt::format(
      R"({{"time":"{}","level":"warn","logger":"nodeinit","event":"log_dropped","message":"{}",)"
      R"("lines":{},"bytes":{}}})"
      "\n",
      wire::utc_timestamp(wall_clock_ns()), message, lines, bytes);
}

// The end of `text`, at most so long, from the beginning of a line if there is one, without the
// last newline.
std::string tail_of_text(std::string_view text, std::size_t most) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() > most) {
    text.remove_prefix(text.size() - most);
    const std::size_t line = text.find('\n');
    if (line != std::string_view::npos) text.remove_prefix(line + 1);
  }
  return std::string(text);
}

}  // namespace

struct LogPump::Outlet {
  Outlet(uv_loop_t* loop, sys::Output output, WhenFull when_full, LogOutlet::Callbacks callbacks)
      : out(loop, std::move(output), when_full, std::move(callbacks)) {}
  LogOutlet out;
  std::deque<Stream*> waiting;   // streams with text that wants out, in turn
  const Stream* last = nullptr;  // who has written last
  Instant last_at;
};

// One end of a worker's output.
struct LogPump::Stream {
  Stream(Worker& of, LogStream stream, Outlet& to, const wire::LogRendering& rendering,
         const wire::LogOrigin& origin, sys::UniqueFd read_end)
      : worker(of), which(stream), outlet(to), cutter(rendering, origin), fd(std::move(read_end)) {}

  Worker& worker;
  LogStream which;
  Outlet& outlet;
  wire::LineCutter cutter;
  std::string kept;  // read, not written: the beginning of a line, or more while waiting
  sys::UniqueFd fd;  // empty once all was read
  std::optional<Poll> readable;
  bool text_ends = false;  // what is kept is all: its rest is a line
  bool waiting = false;    // in outlet.waiting
  Instant read_at;         // the latest of what is kept
};

struct LogPump::Worker {
  Incarnation incarnation;
  std::string program;
  SlotId slot;
  int pid = 0;
  bool reaped = false;
  std::string words;  // the end of stderr
  std::array<std::unique_ptr<Stream>, 2> streams;

  wire::LogOrigin origin(LogStream stream) const {
    return {.program = program, .slot = slot.value, .pid = pid, .stream = stream};
  }
};

LogPump::LogPump(uv_loop_t* loop, const LogSettings& settings, OnTrouble on_trouble)
    : LogPump(loop, settings, std::move(on_trouble), 1, 2) {}

LogPump::LogPump(uv_loop_t* loop, const LogSettings& settings, OnTrouble on_trouble, int out,
                 int err)
    : loop_(loop), settings_(settings), pause_(loop, [this] { pass_unfinished(); }) {
  const auto add_outlet = [&](sys::Output output, LogStream stream) {
    const std::size_t index = outlets_.size();
    LogOutlet::Callbacks callbacks{
        .unblocked = [this, index] { serve_waiting(*outlets_[index]); },
        .trouble =
            [on_trouble, stream](int error) {
              if (on_trouble) on_trouble(stream, error);
            },
        .dropped = [shape = settings.rendering.shape](
                       std::uint64_t lines,
                       std::uint64_t bytes) { return dropped_notice(shape, lines, bytes); }};
    outlets_.push_back(std::make_unique<Outlet>(loop_, std::move(output), settings.when_full,
                                                std::move(callbacks)));
  };
  sys::Output first = sys::Output::inherited(out);
  sys::Output second = sys::Output::inherited(err);
  const bool same = first.same_object(second);
  add_outlet(std::move(first), LogStream::out);
  if (!same) add_outlet(std::move(second), LogStream::err);
}

LogPump::~LogPump() = default;

LogPump::Outlet& LogPump::outlet_of(LogStream stream) {
  return stream == LogStream::out ? *outlets_.front() : *outlets_.back();
}

LogOutlet& LogPump::err_outlet() {
  return outlet_of(LogStream::err).out;
}

bool LogPump::write_own(std::string_view line) {
  outlet_of(LogStream::err).last = nullptr;
  return err_outlet().write_own(line);
}

bool LogPump::reads_stderr(bool after_failure) const {
  switch (settings_.reads) {
    case LogReads::everything:
    case LogReads::only_stderr:
      return true;
    case LogReads::only_stderr_after_failure:
      return after_failure;
    case LogReads::nothing:
      break;
  }
  return false;
}

Result<LogPump::Ends> LogPump::open(Incarnation incarnation, std::string program, SlotId slot,
                                    bool after_failure) {
  Ends ends;
  if (!reads_stderr(after_failure)) return ends;
  sys::Pipe out;
  if (!inherits()) {
    NI_TRY(out, sys::make_pipe());
  }
  NI_TRY(sys::Pipe err, sys::make_pipe());
  if (!buffer_) buffer_ = std::make_unique<char[]>(kFront + kBlock);
  auto worker = std::make_unique<Worker>();
  worker->incarnation = incarnation;
  worker->program = std::move(program);
  worker->slot = slot;
  if (out.read_end) attach(*worker, LogStream::out, std::move(out.read_end));
  attach(*worker, LogStream::err, std::move(err.read_end));
  workers_.insert_or_assign(incarnation, std::move(worker));
  ends.out = std::move(out.write_end);
  ends.err = std::move(err.write_end);
  return ends;
}

// The read end becomes non-blocking (libuv does it); the worker's end has an open file description
// of its own.
void LogPump::attach(Worker& worker, LogStream which, sys::UniqueFd fd) {
  Outlet& outlet = outlet_of(which);
  wire::LogRendering rendering = settings_.rendering;
  rendering.colour = rendering.colour && outlet.out.is_tty();
  auto& place = worker.streams[index_of(which)];
  place = std::make_unique<Stream>(worker, which, outlet, rendering, worker.origin(which),
                                   std::move(fd));
  Stream& stream = *place;
  stream.readable.emplace(loop_, stream.fd.get(), [this, &stream](int) { on_readable(stream); });
  stream.readable->watch(UV_READABLE);
}

void LogPump::set_pid(Incarnation incarnation, Pid pid) {
  const auto found = workers_.find(incarnation);
  if (found == workers_.end()) return;
  found->second->pid = pid.value();
  for (const auto& stream : found->second->streams) {
    if (stream) stream->cutter.describe(found->second->origin(stream->which));
  }
}

void LogPump::on_readable(Stream& stream) {
  if (!stream.outlet.out.takes_more()) {
    wait_for_turn(stream);
    return;
  }
  const std::optional<std::string_view> read = read_some(stream, kBlock);
  if (!read) return;
  if (read->empty()) {
    end_of_text(stream);
  } else {
    take(stream, *read);
  }
  settle(stream);
}

// Into the buffer. Empty: all writers have closed the pipe. nullopt: nothing there now.
std::optional<std::string_view> LogPump::read_some(Stream& stream, std::size_t most) {
  char* const start = buffer_.get() + kFront;
  ssize_t count = 0;
  do {
    count = ::read(stream.fd.get(), start, std::min(most, kBlock));
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return std::nullopt;
  if (count <= 0) return std::string_view();  // a pipe knows no other error
  const std::string_view read(start, static_cast<std::size_t>(count));
  stream.read_at = sys::now();
  counters_.streams[index_of(stream.which)].bytes += read.size();
  if (stream.which == LogStream::err) {
    std::string& words = stream.worker.words;
    words += read.substr(read.size() - std::min(read.size(), kMostWords));
    if (words.size() > 2 * kMostWords) words.erase(0, words.size() - kMostWords);
  }
  return read;
}

// `read` is in the buffer.
void LogPump::take(Stream& stream, std::string_view read) {
  if (stream.kept.size() <= kFront) {
    const std::size_t front = stream.kept.size();
    char* const start = buffer_.get() + kFront - front;
    std::ranges::copy(stream.kept, start);
    pass(stream, {start, front + read.size()});
    return;
  }
  // Without an end of line in it there is nothing to cut before the line is too long.
  stream.kept += read;
  if (read.find('\n') == std::string_view::npos &&
      stream.kept.size() <= settings_.rendering.largest_line) {
    return;
  }
  pass_kept(stream);
}

void LogPump::end_of_text(Stream& stream) {
  stream.readable.reset();
  stream.fd.reset();
  stream.text_ends = true;
  pass_kept(stream);
}

void LogPump::pass_kept(Stream& stream) {
  const std::string text = std::exchange(stream.kept, {});
  pass(stream, text);
}

bool LogPump::is_alone() const {
  return std::ranges::count_if(workers_, [](const auto& entry) { return !entry.second->reaped; }) ==
         1;
}

// A writer that is in the middle of a long line has not paused: its pipe is full, or has more.
void LogPump::pass_unfinished() {
  const Instant now = sys::now();
  bool some_wait = false;
  for (const auto& [incarnation, worker] : workers_) {
    for (const auto& each : worker->streams) {
      if (!each || each->kept.empty() || each->waiting || !each->fd) continue;
      Stream& stream = *each;
      int held = 0;
      (void)ioctl(stream.fd.get(), FIONREAD, &held);  // a pipe has it
      const bool others_spoke =
          stream.outlet.last != &stream && now < stream.outlet.last_at + kPause;
      if (held > 0 || now < stream.read_at + kPause || others_spoke ||
          !stream.outlet.out.takes_more()) {
        some_wait = true;
        continue;
      }
      const std::string text = std::exchange(stream.kept, {});
      pass(stream, text, true);
    }
  }
  if (some_wait) pause_.start(kPause);
}

// Writes what is whole; keeps the rest, and waits for a turn if that has whole lines in it still.
void LogPump::pass(Stream& stream, std::string_view text, bool unfinished_too) {
  LogOutlet& outlet = stream.outlet.out;
  const std::int64_t now = wall_clock_ns();
  using Rest = wire::LineCutter::Rest;
  const Rest rest = stream.text_ends               ? Rest::is_a_line
                    : unfinished_too || is_alone() ? Rest::passes
                                                   : Rest::waits;
  bool all = text.empty();
  while (!all && outlet.takes_more()) {
    const bool goes_on = stream.outlet.last == &stream;
    if (!goes_on) stream.cutter.interrupted();
    const wire::LineCutter::Cut cut = stream.cutter.cut(text, rest, now, scratch_);
    counters_.streams[index_of(stream.which)].lines += cut.lines;
    if (!cut.ready.empty()) {
      outlet.write(cut.ready, cut.lines,
                   goes_on || settings_.rendering.shape == wire::LogShape::as_is
                       ? LogOutlet::Begins::where_it_is
                       : LogOutlet::Begins::a_line);
      stream.outlet.last = &stream;
      stream.outlet.last_at = sys::now();
    }
    text.remove_prefix(cut.used);
    all = cut.used == 0 || text.empty();
  }
  stream.kept = text;
  if (all && !stream.kept.empty() && settings_.rendering.shape != wire::LogShape::json &&
      !pause_.is_active()) {
    pause_.start(kPause);
  }
  if (!all) {
    wait_for_turn(stream);
  } else if (stream.fd && std::exchange(stream.text_ends, false)) {
    // Of a dead worker's pipe that somebody holds on: what comes now is another text.
    stream.outlet.last = nullptr;
  }
}

void LogPump::wait_for_turn(Stream& stream) {
  if (stream.readable) stream.readable->watch(0);
  if (!std::exchange(stream.waiting, true)) stream.outlet.waiting.push_back(&stream);
}

void LogPump::serve_waiting(Outlet& outlet) {
  // Each once: who is not done comes back to the end of the queue.
  for (std::size_t left = outlet.waiting.size(); left > 0 && outlet.out.takes_more(); --left) {
    Stream& stream = *outlet.waiting.front();
    outlet.waiting.pop_front();
    stream.waiting = false;
    pass_kept(stream);
    if (!stream.waiting && stream.readable) stream.readable->watch(UV_READABLE);
    settle(stream);
  }
}

// Nothing more will come of it and all is written: it goes, and with the last one of a dead worker
// the worker.
void LogPump::settle(Stream& stream) {
  if (stream.fd || stream.waiting) return;
  counters_.lines_split += stream.cutter.lines_split();
  Worker& worker = stream.worker;
  if (stream.outlet.last == &stream) stream.outlet.last = nullptr;
  worker.streams[index_of(stream.which)].reset();
  if (worker.reaped && !worker.streams[0] && !worker.streams[1]) workers_.erase(worker.incarnation);
}

void LogPump::closed(Incarnation incarnation) {
  const auto found = workers_.find(incarnation);
  if (found == workers_.end() || found->second->reaped) return;
  Worker& worker = *found->second;
  for (const auto& stream : worker.streams) {
    if (stream) take_rest(*stream);
  }
  past_words_.emplace_back(incarnation, tail_of_text(worker.words, kMostWords));
  if (past_words_.size() > kWordsKept) past_words_.pop_front();
  worker.words = {};
  worker.reaped = true;
  Stream* const out = worker.streams[0].get();
  Stream* const err = worker.streams[1].get();
  if (out != nullptr) settle(*out);
  if (err != nullptr) settle(*err);  // the worker is there as long as one of the two is
  if (out == nullptr && err == nullptr) workers_.erase(found);
  bound_orphans();
}

// What the dead worker left in its pipe: read whether our output is full or not, a pipe's capacity
// at most.
void LogPump::take_rest(Stream& stream) {
  if (!stream.fd) return;
  int held = 0;
  (void)ioctl(stream.fd.get(), FIONREAD, &held);  // a pipe has it
  auto left = static_cast<std::size_t>(std::max(held, 0));
  std::optional<std::string_view> read;
  do {
    read = read_some(stream, std::max<std::size_t>(left, 1));
    if (!read || read->empty()) break;
    stream.kept += *read;
    left -= std::min(left, read->size());
  } while (left > 0);
  // When the last writer is gone there is an end to be read; if not, somebody holds the pipe on.
  if (read && !read->empty()) read = read_some(stream, 1);
  if (read && read->empty()) {
    end_of_text(stream);
    return;
  }
  if (read) stream.kept += *read;
  stream.text_ends = true;
  pass_kept(stream);
}

void LogPump::bound_orphans() {
  const auto is_dead = [](const auto& entry) { return entry.second->reaped; };
  while (static_cast<std::size_t>(std::ranges::count_if(workers_, is_dead)) > kMostOrphans) {
    const auto oldest = std::ranges::find_if(workers_, is_dead);
    for (const auto& stream : oldest->second->streams) {
      if (!stream) continue;
      counters_.bytes_lost += stream->kept.size();
      std::erase(stream->outlet.waiting, stream.get());
      if (stream->outlet.last == stream.get()) stream->outlet.last = nullptr;
    }
    workers_.erase(oldest);
  }
}

std::optional<std::string> LogPump::last_words(Incarnation incarnation) const {
  const auto past =
      std::ranges::find(past_words_, incarnation, [](const auto& e) { return e.first; });
  if (past != past_words_.end()) return past->second;
  const auto found = workers_.find(incarnation);
  if (found == workers_.end()) return std::nullopt;
  return tail_of_text(found->second->words, kMostWords);
}

bool LogPump::idle() const {
  return std::ranges::all_of(outlets_, [](const auto& outlet) {
    return outlet->waiting.empty() && outlet->out.held_bytes() == 0;
  });
}

void LogPump::finish(Duration limit) {
  for (const auto& [incarnation, worker] : workers_) {
    for (const auto& stream : worker->streams) {
      if (stream) take_rest(*stream);
    }
  }
  const Instant end = sys::now() + limit;
  for (const auto& outlet : outlets_) {
    outlet->out.finish(end - sys::now());
  }
}

LogCounters LogPump::counters() const {
  LogCounters sum = counters_;
  for (const auto& outlet : outlets_) {
    const OutletCounters& of = outlet->out.counters();
    sum.lines_dropped += of.dropped_lines;
    sum.bytes_dropped += of.dropped_bytes;
    sum.bytes_lost += of.lost_bytes;
    sum.waits += of.waits;
  }
  for (const auto& [incarnation, worker] : workers_) {
    for (const auto& stream : worker->streams) {
      if (stream) sum.lines_split += stream->cutter.lines_split();
    }
  }
  return sum;
}

}  // namespace ni::loop
