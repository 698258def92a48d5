#include "loop/channel.h"

#include <array>
#include <utility>

#include "sys/sockets.h"

namespace ni::loop {
namespace {

// One turn of the loop reads no more than this from one worker, so that a talkative one cannot
// starve the others.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kReadSize = std::size_t{16} << 10U;  // on a stack that may have 64 KiB

}  // namespace

Channel::Channel(uv_loop_t* loop, sys::UniqueFd fd, OnLines on_lines, OnEnd on_end)
    : fd_(std::move(fd)),
      poll_(loop, fd_.get(), [this](int events) { ready(events); }),
      on_lines_(std::move(on_lines)),
      on_end_(std::move(on_end)) {
  rearm();
}

void Channel::rearm() {
  const int reading = waiting_bytes_ > kPauseAbove ? 0 : UV_READABLE;
  poll_.watch(reading | (waiting_.empty() ? 0 : UV_WRITABLE));
}

void Channel::send(std::string_view line, int descriptor) {
  if (broken_) return;
  std::string prefixed;
  if (reader_.speaks_bun()) {
    prefixed.assign(1, wire::kBunPrefix);
    prefixed += line;
    line = prefixed;
  }
  if (waiting_.empty()) {
    const Result<std::size_t> sent = sys::send(fd_.get(), line, descriptor);
    if (!sent) {
      broken_ = true;  // reading will find the end, and tell
      return;
    }
    line.remove_prefix(*sent);
    if (line.empty()) return;
    if (*sent > 0) descriptor = -1;  // it went with the first byte
  }
  wait(line, descriptor);
  rearm();
}

void Channel::wait(std::string_view bytes, int descriptor) {
  const bool begun =
      waiting_.empty() && descriptor < 0;  // the rest of a line must follow its beginning
  if (waiting_bytes_ + bytes.size() > kMostWaiting && !begun) {
    ++dropped_lines_;
    return;
  }
  Waiting entry{.bytes = std::string(bytes), .descriptor = {}};
  if (descriptor >= 0) {
    Result<sys::UniqueFd> copy = sys::duplicate(descriptor);
    if (!copy) {
      ++dropped_lines_;
      return;
    }
    entry.descriptor = std::move(*copy);
  }
  waiting_bytes_ += bytes.size();
  waiting_.push_back(std::move(entry));
}

void Channel::write() {
  while (!waiting_.empty() && !broken_) {
    Waiting& first = waiting_.front();
    const Result<std::size_t> sent = sys::send(fd_.get(), first.bytes, first.descriptor.get());
    if (!sent) {
      broken_ = true;
      waiting_.clear();
      waiting_bytes_ = 0;
      return;
    }
    if (*sent == 0) return;
    waiting_bytes_ -= *sent;
    first.descriptor.reset();
    first.bytes.erase(0, *sent);
    if (first.bytes.empty()) waiting_.pop_front();
  }
}

bool Channel::read() {
  std::array<char, kReadSize>
      buffer;  // NOLINT: filled by the kernel, zeros per read would be waste
  std::vector<wire::IpcLine> lines;
  for (int reads = 0; reads < kReadsPerTurn; ++reads) {
    const Result<sys::Received> received = sys::receive(fd_.get(), buffer);
    if (!received || received->end) {
      if (!lines.empty()) on_lines_(lines);
      return false;
    }
    if (!ignoring_) reader_.feed({buffer.data(), received->bytes}, lines);
    if (received->bytes < buffer.size()) break;
  }
  if (!lines.empty()) on_lines_(lines);
  return true;
}

void Channel::ready(int events) {
  if ((events & UV_WRITABLE) != 0) write();
  if ((events & UV_READABLE) != 0 && !read()) {
    poll_.watch(0);
    const OnEnd on_end = std::move(on_end_);  // it may destroy us
    return on_end();
  }
  rearm();
}

}  // namespace ni::loop
