#include "sys/private_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace ni::sys {
namespace {

constexpr std::string_view kPrefix = "nodeinit-";
constexpr int kFewTries = 8;
// So many directories are looked at when those of the dead are swept: they may be anybody's.
constexpr int kMostLooks = 64;

Error failed(std::string operation, std::string subject) {
  return {.operation = std::move(operation),
          .subject = std::move(subject),
          .code = errno,
          .reason = {}};
}

bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Of a process that is dead: ours, locked by nobody, with that one file in it.
void sweep_one(int folder, const char* name, const std::string& file) {
  const UniqueFd directory(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!directory || ::fstat(directory.get(), &found) != 0 || found.st_uid != ::geteuid() ||
      ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    return;
  }
  (void)::unlinkat(directory.get(), file.c_str(), 0);  // not there: the rest is tried all the same
  (void)::unlinkat(folder, name, AT_REMOVEDIR);        // not empty: not of our making, it stays
}

void sweep(int folder, const std::string& file) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (listing == nullptr) {
    const UniqueFd unused(copy);
    return;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> closed_at_the_end(listing, ::closedir);
  int looks = 0;
  while (const dirent* entry = ::readdir(listing)) {
    if (std::string_view(entry->d_name).starts_with(kPrefix) && ++looks <= kMostLooks) {
      sweep_one(folder, entry->d_name, file);
    }
  }
}

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return failed("write", "the module inside");
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<PrivateFile> PrivateFile::make(std::span<const std::string_view> folders,
                                      std::string_view name, std::string_view text,
                                      std::uint64_t salt) {
  Error last{.operation = "make", .subject = std::string(name), .code = ENOENT, .reason = {}};
  for (const std::string_view place : folders) {
    PrivateFile made;
    made.name_ = name;
    const std::string folder(place);
    made.folder_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!made.folder_) {
      last = failed("open", folder);
      continue;
    }
    sweep(made.folder_.get(), made.name_);
    int outcome = -1;
    for (int tries = 0; tries < kFewTries; ++tries) {
      made.directory_name_ = fmt::format("{}{:016x}", kPrefix, salt + static_cast<unsigned>(tries));
      outcome = ::mkdirat(made.folder_.get(), made.directory_name_.c_str(), 0700);
      if (outcome == 0 || errno != EEXIST) {
        break;
      }
    }
    if (outcome != 0) {
      last = failed("make a directory in", folder);
      made.directory_name_.clear();
      continue;
    }
    made.directory_.reset(::openat(made.folder_.get(), made.directory_name_.c_str(),
                                   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.directory_ || ::flock(made.directory_.get(), LOCK_EX | LOCK_NB) != 0) {
      last = failed("lock", folder + "/" + made.directory_name_);
      continue;
    }
    // Open for reading by all whatever the umask is; nobody can write to it but by our right.
    made.file_.reset(::openat(made.directory_.get(), made.name_.c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    made.path_ = folder + "/" + made.directory_name_ + "/" + made.name_;
    if (!made.file_) {
      last = failed("make", made.path_);
      continue;
    }
    if (auto written = write_all(made.file_.get(), text); !written) {
      last = std::move(written).error();
      continue;
    }
    if (::fchmod(made.file_.get(), 0444) != 0 || ::fchmod(made.directory_.get(), 0755) != 0) {
      last = failed("open for all", made.path_);
      continue;
    }
    return made;
  }
  return last;
}

bool PrivateFile::is_intact() const {
  struct stat named {};
  struct stat ours {};
  struct stat directory {};
  struct stat named_directory {};
  return ::stat(path_.c_str(), &named) == 0 && ::fstat(file_.get(), &ours) == 0 &&
         same_file(named, ours) && ours.st_uid == ::geteuid() && (ours.st_mode & 0777U) == 0444 &&
         ours.st_nlink == 1 && ::fstat(directory_.get(), &directory) == 0 &&
         ::fstatat(folder_.get(), directory_name_.c_str(), &named_directory, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         same_file(directory, named_directory) && (directory.st_mode & 0777U) == 0755;
}

PrivateFile& PrivateFile::operator=(PrivateFile&& other) noexcept {
  if (this != &other) {
    remove();
    folder_ = std::move(other.folder_);
    directory_ = std::move(other.directory_);
    file_ = std::move(other.file_);
    directory_name_ = std::exchange(other.directory_name_, {});
    name_ = std::exchange(other.name_, {});
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

PrivateFile::~PrivateFile() {
  remove();
}

void PrivateFile::remove() noexcept {
  if (directory_) {
    (void)::unlinkat(directory_.get(), name_.c_str(), 0);                    // gone: so be it
    (void)::unlinkat(folder_.get(), directory_name_.c_str(), AT_REMOVEDIR);  // gone: so be it
  }
}

}  // namespace ni::sys
