#include "sys/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>

namespace ni::sys {
namespace {

// n_tty polls writable when its driver has room for a byte; small pieces keep a write from waiting
// for the rest.
constexpr std::size_t kSharedTtyPiece = 64;

// signal(7): SIGPIPE and SIGXFSZ of a write go to the writing thread. We have them blocked, so that
// one would stay pending and reach our signalfd as if somebody had sent it (ignoring does not help:
// a blocked signal is queued even when it is ignored, kernel/signal.c sig_task_ignored).
void take_back_signal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  const timespec at_once{};
  const int saved = errno;
  (void)sigtimedwait(&set, nullptr, &at_once);  // EAGAIN: it was not blocked, or not raised
  errno = saved;
}

Output::Written result_of(ssize_t count) {
  if (count > 0) return {static_cast<std::size_t>(count), 0};
  const int error = count == 0 ? EAGAIN : errno;
  if (error == EPIPE) take_back_signal(SIGPIPE);
  if (error == EFBIG) take_back_signal(SIGXFSZ);
  return {0, error == EWOULDBLOCK ? EAGAIN : error};
}

template <class Call>
ssize_t retried(Call call) {
  ssize_t count = 0;
  do {
    count = call();
  } while (count < 0 && errno == EINTR);
  return count;
}

UniqueFd open_again(int fd) {
  char path[32];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);  // always fits
  return UniqueFd(::open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

Output Output::inherited(int fd, Means best) {
  Output output;
  struct stat about {};
  if (fstat(fd, &about) != 0) return output;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return output;
  output.fd_ = fd;
  output.device_ = about.st_dev;
  output.inode_ = about.st_ino;
  output.tty_ = S_ISCHR(about.st_mode) && isatty(fd) == 1;
  if (S_ISSOCK(about.st_mode)) {
    output.kind_ = Kind::socket;
  } else if (S_ISFIFO(about.st_mode) || output.tty_) {
    if (best == Means::reopen) output.reopened_ = open_again(fd);
    output.means_ = std::max(best, Means::nowait);
    output.kind_ = output.reopened_ ? Kind::reopened
                   : output.tty_    ? Kind::shared_tty
                                    : Kind::shared_pipe;
  } else {
    output.kind_ = Kind::plain;
  }
  return output;
}

Output::Written Output::write(std::string_view bytes) noexcept {
  if (bytes.empty()) return {};
  switch (kind_) {
    case Kind::closed:
      return {0, EBADF};
    case Kind::plain:
      return result_of(retried([&] { return ::write(fd_, bytes.data(), bytes.size()); }));
    case Kind::reopened:
      return result_of(
          retried([&] { return ::write(reopened_.get(), bytes.data(), bytes.size()); }));
    case Kind::socket:
      return result_of(retried(
          [&] { return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); }));
    case Kind::shared_pipe:
      return write_shared_pipe(bytes);
    case Kind::shared_tty:
      return write_when_polled(bytes, kSharedTtyPiece);
  }
  return {0, EBADF};
}

Output::Written Output::write_shared_pipe(std::string_view bytes) noexcept {
  if (means_ == Means::nowait) {
    // The iovec is not written to: the cast only satisfies its type.
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const Written written =
        result_of(retried([&] { return pwritev2(fd_, &piece, 1, -1, RWF_NOWAIT); }));
    if (written.error != EOPNOTSUPP && written.error != ENOSYS && written.error != EPERM &&
        written.error != EINVAL && written.error != ESPIPE) {
      return written;
    }
    means_ = Means::splice;
  }
  if (means_ == Means::splice) {
    const Written written = write_by_splice(bytes);
    if (written.error != EINVAL && written.error != ENOSYS && written.error != EPERM &&
        written.error != EMFILE && written.error != ENFILE) {
      return written;
    }
    means_ = Means::poll;
  }
  return write_when_polled(bytes, PIPE_BUF);
}

Output::Written Output::write_by_splice(std::string_view bytes) noexcept {
  if (!pipe_write_) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {0, errno};
    pipe_read_ = UniqueFd(ends[0]);
    pipe_write_ = UniqueFd(ends[1]);
  }
  const ssize_t held =
      retried([&] { return ::write(pipe_write_.get(), bytes.data(), bytes.size()); });
  if (held <= 0) return {0, held == 0 ? EIO : errno};
  const Written moved = result_of(retried([&] {
    return splice(pipe_read_.get(), nullptr, fd_, nullptr, static_cast<std::size_t>(held),
                  SPLICE_F_NONBLOCK);
  }));
  // What did not go over stays the caller's: empty the pipe, so that it begins with the next call's
  // bytes.
  char scratch[4096];
  while (moved.bytes != static_cast<std::size_t>(held) &&
         ::read(pipe_read_.get(), scratch, sizeof scratch) > 0) {
  }
  return moved;
}

Output::Written Output::write_when_polled(std::string_view bytes, std::size_t most) noexcept {
  pollfd watched{fd_, POLLOUT, 0};
  if (poll(&watched, 1, 0) <= 0) return {0, EAGAIN};
  if ((watched.revents & POLLERR) != 0 && (watched.revents & POLLOUT) == 0) return {0, EPIPE};
  return result_of(
      retried([&] { return ::write(fd_, bytes.data(), std::min(bytes.size(), most)); }));
}

int Output::watched() const {
  switch (kind_) {
    case Kind::closed:
    case Kind::plain:
      return -1;
    case Kind::reopened:
      return reopened_.get();
    case Kind::socket:
    case Kind::shared_pipe:
    case Kind::shared_tty:
      return fd_;
  }
  return -1;
}

bool Output::widen(std::size_t bytes) noexcept {
  const int room = fcntl(fd_, F_GETPIPE_SZ);  // EBADF: no pipe
  return room >= 0 && static_cast<std::size_t>(room) < bytes &&
         fcntl(fd_, F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0;
}

bool Output::same_object(const Output& other) const {
  return kind_ != Kind::closed && other.kind_ != Kind::closed && device_ == other.device_ &&
         inode_ == other.inode_;
}

}  // namespace ni::sys
