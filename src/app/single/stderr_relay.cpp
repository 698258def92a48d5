#include "app/single/stderr_relay.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <span>
#include <utility>

#include "app/logs/output_owner.h"
#include "sys/clock.h"

namespace ni::app {
namespace {

constexpr std::size_t kBlock = 64 * 1024;  // what a pipe holds, usually (pipe(7))
constexpr std::size_t kMostHeldByOwn = 256 * 1024;

// Until one of `watched` is ready, a signalfd among them, or the time has come.
void wait_until_ready(std::span<pollfd> watched, std::optional<Instant> deadline) {
  timespec limit{};
  if (deadline) {
    const auto left = std::max((*deadline - sys::now()).count(), Duration::rep{0});
    limit = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
  }
  if (::ppoll(watched.data(), watched.size(), deadline ? &limit : nullptr, nullptr) <= 0) {
    // EINTR: a debugger, or a stop and continue of ourselves; the answers are not to be looked at.
    for (pollfd& one : watched) {
      one.revents = 0;
    }
  }
}

}  // namespace

Result<StderrRelay> StderrRelay::open(const UserIds* user) {
  NI_TRY(sys::Pipe pipe, sys::make_pipe());
  // The writers' end has an open file description of its own.
  if (auto set = sys::set_nonblocking(pipe.read_end.get()); !set) {
    return std::move(set).error();
  }
  NI_TRY(sys::UniqueFd signals, sys::open_signal_fd());
  give_output_to(user, pipe.write_end.get());
  return StderrRelay(std::move(pipe), std::move(signals));
}

StderrRelay::StderrRelay(sys::Pipe pipe, sys::UniqueFd signals)
    : pipe_(std::move(pipe)),
      signals_(std::move(signals)),
      output_(sys::Output::inherited(STDERR_FILENO)),
      block_(std::make_unique<char[]>(kBlock)) {}

std::optional<sys::ReceivedSignal> StderrRelay::wait_for_signal(std::optional<Instant> deadline) {
  for (;;) {
    const bool holds = !held_.empty();
    // poll(2) leaves out what is negative.
    std::array<pollfd, 3> watched{{{signals_.get(), POLLIN, 0},
                                   {holds ? -1 : pipe_.read_end.get(), POLLIN, 0},
                                   {holds ? output_.watched() : -1, POLLOUT, 0}}};
    wait_until_ready(watched, deadline);
    if (watched[1].revents != 0) {
      (void)read_block(kBlock);
    } else if (watched[2].revents != 0) {
      flush();
    }
    if (watched[0].revents != 0) {
      if (const auto received = sys::wait_for_signal(Duration::zero())) {
        return received;
      }
    }
    if (deadline && *deadline <= sys::now()) {
      return std::nullopt;
    }
  }
}

// Passes on what is there, `most` at most. False: nothing is there now, or ever again.
bool StderrRelay::read_block(std::size_t most) {
  if (!pipe_.read_end) {
    return false;
  }
  ssize_t count = 0;
  do {
    count = ::read(pipe_.read_end.get(), block_.get(), std::min(most, kBlock));
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) {
    return false;
  }
  if (count <= 0) {  // a pipe knows no other error
    pipe_.read_end.reset();
    return false;
  }
  const std::string_view read(block_.get(), static_cast<std::size_t>(count));
  remember(read);
  pass_on(read);
  return true;
}

// Behind all that was given before.
void StderrRelay::pass_on(std::string_view bytes) {
  mid_line_ = bytes.back() != '\n';
  if (held_.empty()) {
    bytes.remove_prefix(send(bytes));
  }
  held_ += bytes;
}

void StderrRelay::flush() {
  held_.erase(0, send(held_));
  if (held_.empty()) {
    held_ = {};
  }
}

// How many bytes are done with: taken by the kernel, or lost by an error other than EAGAIN.
std::size_t StderrRelay::send(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const sys::Output::Written written = output_.write(bytes.substr(done));
    if (written.bytes == 0) {
      return written.error == EAGAIN && output_.watched() >= 0 ? done : bytes.size();
    }
    done += written.bytes;
  }
  return done;
}

// Read whether our stderr takes it or not, what the pipe holds now at most.
void StderrRelay::take_rest() {
  int there = 0;
  if (!pipe_.read_end || ::ioctl(pipe_.read_end.get(), FIONREAD, &there) != 0) {
    return;
  }
  for (auto left = static_cast<std::size_t>(std::max(there, 0)); left > 0;) {
    const std::size_t most = std::min(left, kBlock);
    if (!read_block(most)) {
      return;
    }
    left -= most;
  }
}

void StderrRelay::remember(std::string_view bytes) {
  words_ += bytes.substr(bytes.size() - std::min(bytes.size(), kMostWords));
  words_cut_ = words_cut_ || bytes.size() > kMostWords || words_.size() > kMostWords;
  if (words_.size() > 2 * kMostWords) {
    words_.erase(0, words_.size() - kMostWords);
  }
}

std::string StderrRelay::take_words() {
  take_rest();
  std::string words = std::exchange(words_, {});
  if (std::exchange(words_cut_, false)) {
    words.erase(0, words.size() - std::min(words.size(), kMostWords));
    const std::size_t newline = words.find('\n');
    if (newline + 1 < words.size() && newline != std::string::npos) {
      words.erase(0, newline + 1);  // the rest of a line says little
    }
  }
  return words;
}

bool StderrRelay::write_own(std::string_view line) {
  if (held_.size() > kMostHeldByOwn) {
    return false;
  }
  if (mid_line_) {
    pass_on("\n");
  }
  pass_on(line);
  return true;
}

void StderrRelay::finish(Duration limit) {
  take_rest();
  for (const Instant end = sys::now() + limit; !held_.empty() && sys::now() < end; flush()) {
    std::array<pollfd, 1> room{{{output_.watched(), POLLOUT, 0}}};
    wait_until_ready(room, end);
  }
}

void StderrRelay::close_all_others(int other) {
  output_ = {};  // its own descriptors would not be spared
  const std::array spared{pipe_.read_end.get(), pipe_.write_end.get(), signals_.get(), other};
  sys::close_from(3, spared);
  output_ = sys::Output::inherited(STDERR_FILENO);
}

}  // namespace ni::app
