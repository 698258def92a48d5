#include "sys/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace ni::sys {
namespace {

// Without close_range(2) and without /proc there is nobody to ask what is open: so many numbers are
// tried.
constexpr rlim_t kHighestTried = 65536;

Error failed(const char* operation, std::string subject) {
  return Error{.operation = operation, .subject = std::move(subject), .code = errno, .reason = {}};
}

std::string subject_of(int fd) {
  return "descriptor " + std::to_string(fd);
}

// getdents64(2) by hand: opendir(3) would take 32 KiB of heap in a program that wants to stay
// small.
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
};
constexpr std::size_t kNameOffset = offsetof(DirectoryEntry, type) + 1;

bool contains(std::span<const int> numbers, int wanted) noexcept {
  return std::ranges::find(numbers, wanted) != numbers.end();
}

// Closes what the buffer of entries names; the count of descriptors closed.
int close_listed(std::string_view entries, int first, int own,
                 std::span<const int> spared) noexcept {
  int closed = 0;
  while (entries.size() > kNameOffset) {
    std::uint16_t length = 0;
    std::memcpy(&length, entries.data() + offsetof(DirectoryEntry, length), sizeof length);
    const std::string_view name = entries.substr(kNameOffset, length - kNameOffset);
    const auto number = parse_number<int>(name.substr(0, name.find('\0')));
    if (number && *number >= first && *number != own && !contains(spared, *number)) {
      ::close(*number);
      ++closed;
    }
    entries.remove_prefix(length);
  }
  return closed;
}

bool close_by_proc(int first, std::span<const int> spared) noexcept {
  const UniqueFd directory(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return false;
  }
  alignas(DirectoryEntry) std::array<char, 2048> buffer;
  for (;;) {
    const long size = ::syscall(SYS_getdents64, directory.get(), buffer.data(), buffer.size());
    if (size <= 0) {
      return size == 0;
    }
    // The list changes under us as we close: begin again until a pass finds nothing to close.
    if (close_listed({buffer.data(), static_cast<std::size_t>(size)}, first, directory.get(),
                     spared) > 0) {
      ::lseek(directory.get(), 0, SEEK_SET);
    }
  }
}

// Old container runtimes' seccomp profiles answer EPERM to system calls they do not know: any
// failure is one.
bool close_by_range(int first, std::span<const int> spared) noexcept {
  for (;;) {
    int next = -1;  // the lowest that is spared
    for (const int fd : spared) {
      if (fd >= first && (next < 0 || fd < next)) {
        next = fd;
      }
    }
    const unsigned last = next < 0 ? ~0U : static_cast<unsigned>(next) - 1;
    if (next != first && ::syscall(SYS_close_range, static_cast<unsigned>(first), last, 0U) != 0) {
      return false;
    }
    if (next < 0) {
      return true;
    }
    first = next + 1;
  }
}

void close_one_by_one(int first, std::span<const int> spared) noexcept {
  rlimit limit{};
  const rlim_t end = ::getrlimit(RLIMIT_NOFILE, &limit) == 0
                         ? std::min(limit.rlim_cur, kHighestTried)
                         : kHighestTried;
  for (int fd = first; fd < static_cast<int>(end); ++fd) {
    if (!contains(spared, fd)) {
      ::close(fd);
    }
  }
}

}  // namespace

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) {
    // close(2): on Linux the descriptor is gone even after EINTR; there is nothing to repeat.
    ::close(fd_);
  }
  fd_ = fd;
}

Result<UniqueFd> open_read(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    return failed("open", path);
  }
  return fd;
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failed("make", "a pipe");
  }
  return Pipe{.read_end = UniqueFd(ends[0]), .write_end = UniqueFd(ends[1])};
}

Result<void> change_owner(int fd, const UserIds& owner) {
  if (::fchown(fd, owner.uid, owner.gid) != 0) {
    return failed("change the owner of", subject_of(fd));
  }
  return {};
}

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) {
    return failed("duplicate", subject_of(fd));
  }
  return copy;
}

std::optional<FileIdentity> identity_of(int fd) {
  struct ::stat status {};
  if (::fstat(fd, &status) != 0) {
    return std::nullopt;
  }
  return FileIdentity{.device = status.st_dev, .inode = status.st_ino};
}

bool set_owner(int fd, std::uint32_t user) {
  return ::fchown(fd, user, static_cast<gid_t>(-1)) == 0;
}

Result<void> set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return failed("make non-blocking", subject_of(fd));
  }
  return {};
}

Result<void> set_close_on_exec(int fd, bool close) {
  if (::fcntl(fd, F_SETFD, close ? FD_CLOEXEC : 0) != 0) {
    return failed("set flags of", subject_of(fd));
  }
  return {};
}

bool is_inheritable(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

void occupy_standard_descriptors() noexcept {
  for (int wanted = 0; wanted <= 2; ++wanted) {
    if (::fcntl(wanted, F_GETFD) >= 0) {
      continue;
    }
    // open(2) gives the lowest free number, which is `wanted`: those below it are taken by now.
    int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      // An empty root file system has no /dev. O_PATH: reads and writes say EBADF, as on a closed
      // one.
      fd = ::open("/", O_PATH | O_CLOEXEC);
    }
    if (fd > wanted) {
      ::close(fd);
    }
    if (fd < 0) {
      return;
    }
  }
}

void close_from(int first, std::span<const int> spared) noexcept {
  if (!close_by_range(first, spared) && !close_by_proc(first, spared)) {
    close_one_by_one(first, spared);
  }
}

}  // namespace ni::sys
