#pragma once

// Our stdout or stderr, written without ever blocking and without touching the descriptor's flags.
//
// Descriptors 0-2 are inherited: their open file description, and so O_NONBLOCK, is shared with
// whoever started us and with every worker in `inherit` mode. Setting the flag would make their
// writes fail with EAGAIN; not setting it makes a plain write(2) block on a full pipe. What is done
// depends on what stands behind the descriptor:
//
//   pipe, FIFO, tty   opened again through /proc/self/fd/N with O_NONBLOCK: the same object, a
//                     description of our own. The kernel checks the object's permissions: EACCES
//                     for a pipe of another user (an image's USER, where the engine did not change
//                     the owner); ENOENT without /proc.
//   … not permitted   pwritev2(2) with RWF_NOWAIT (pipes since Linux 6.4); before that, the bytes
//                     go into a pipe of ours and from there by splice(2) with SPLICE_F_NONBLOCK,
//                     which asks nothing of the descriptor. At last, where seccomp or gVisor forbid
//                     both: poll(2), then at most PIPE_BUF bytes, which a pipe that polls writable
//                     takes at once (pipe(7)), unless another writer is faster.
//   socket            send(2) with MSG_DONTWAIT: per call, not per description.
//   file, /dev/null   write(2): goes to the page cache, never waits for a reader. Not opened again:
//                     a new description has its own offset and would overwrite what others have
//                     written.
//   closed            everything is refused with EBADF.
//
// SIGPIPE and SIGXFSZ raised by a write here are taken back before the call returns.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sys/fd.h"

namespace ni::sys {

class Output {
 public:
  enum class Kind : std::uint8_t { closed, plain, reopened, socket, shared_pipe, shared_tty };

  // What the write achieved. error is 0 when at least a byte was taken, else the errno: EAGAIN
  // (wait until writable), EPIPE (nobody reads any more), ENOSPC, EIO, EBADF…
  struct Written {
    std::size_t bytes = 0;
    int error = 0;
  };

  // The means of the list above for pipes and ttys, best first.
  enum class Means : std::uint8_t { reopen, nowait, splice, poll };

  // Looks at an inherited descriptor, which stays open and unchanged. Never fails: see
  // Kind::closed. Better means than `best` are not tried (tests).
  static Output inherited(int fd, Means best = Means::reopen);

  Written write(std::string_view bytes) noexcept;

  // To be watched for writability after EAGAIN, by epoll or poll only (libuv's uv_poll_t would set
  // O_NONBLOCK on it: watch an epoll instance that holds it). -1 where EAGAIN never comes.
  int watched() const;

  Kind kind() const { return kind_; }
  bool is_tty() const { return tty_; }
  // Gives a pipe room for so many bytes; false when it has that already, when it is no pipe, and
  // where the kernel refuses (fs.pipe-max-size, fs.pipe-user-pages-soft; fcntl(2), F_SETPIPE_SZ).
  bool widen(std::size_t bytes) noexcept;
  // The same pipe, tty, socket or file behind both (as after `2>&1`).
  bool same_object(const Output& other) const;

 private:
  Written write_shared_pipe(std::string_view bytes) noexcept;
  Written write_by_splice(std::string_view bytes) noexcept;
  Written write_when_polled(std::string_view bytes, std::size_t most) noexcept;

  Kind kind_ = Kind::closed;
  Means means_ = Means::reopen;  // of a shared pipe: falls back to the next, once and for all
  bool tty_ = false;
  int fd_ = -1;         // the inherited one
  UniqueFd reopened_;   // Kind::reopened
  UniqueFd pipe_read_;  // Means::splice: what `splice` takes from
  UniqueFd pipe_write_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace ni::sys
