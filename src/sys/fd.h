#pragma once

// Descriptors: who owns one, and the few calls everybody needs. Every descriptor made here is born
// CLOEXEC. An owner is UniqueFd; a plain int borrows for the call only.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/user_ids.h"

namespace ni::sys {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset(other.release());
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  // Gives the descriptor away: the caller owns it now. -1 when there was none.
  [[nodiscard]] int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<UniqueFd> open_read(const std::string& path);
Result<Pipe> make_pipe();

// What the descriptor stands for belongs to that user, who may then open it by name (/dev/stderr).
// Error: EPERM without CAP_CHOWN.
Result<void> change_owner(int fd, const UserIds& owner);

// A copy at 3 or above.
Result<UniqueFd> duplicate(int fd);

Result<void> set_nonblocking(int fd);
// fchown(2), the group stays. False: we may not, or it is no user here (user_namespaces(7)).
// What a descriptor leads to, fstat(2); nullopt: it is closed.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};
std::optional<FileIdentity> identity_of(int fd);
bool set_owner(int fd, std::uint32_t user);

// The flag that says whether an exec'd program inherits it.
Result<void> set_close_on_exec(int fd, bool close);

// Open, and a program that we exec would have it.
bool is_inheritable(int fd) noexcept;

// Started with any of 0, 1, 2 closed, the next descriptor opened would land there and be taken for
// a terminal or a log. Occupies the closed ones (with /dev/null, or where there is none with
// something that cannot be read or written); CLOEXEC, so that a worker finds them closed as we did.
// Never fails loudly: what cannot be done is left.
void occupy_standard_descriptors() noexcept;

// Closes every descriptor from `first` on: by close_range(2), by the list in /proc, or one by one
// up to a bound. Those in `spared` stay (a negative one names none).
void close_from(int first, std::span<const int> spared = {}) noexcept;

}  // namespace ni::sys
