#include "app/invocation/container_files.h"

#include <sys/stat.h>

#include <utility>

#include "sys/affinity.h"
#include "sys/read_file.h"

namespace ni::app {
namespace {

// A machine with thousands of mounts has some MiB of them; a limit file a few bytes.
constexpr std::size_t kLargestMountinfo = std::size_t{16} << 20U;
constexpr std::size_t kLargestFile = std::size_t{1} << 20U;

}  // namespace

ContainerFiles::ContainerFiles(std::string root) : root_(std::move(root)) {
  while (root_.ends_with('/')) {
    root_.pop_back();
  }
}

std::string ContainerFiles::full_path(std::string_view path) const {
  return root_ + std::string(path);
}

Result<std::string> ContainerFiles::read(std::string_view path) const {
  return sys::read_file(full_path(path),
                        path.ends_with("/mountinfo") ? kLargestMountinfo : kLargestFile);
}

bool ContainerFiles::is_directory(std::string_view path) const {
  struct ::stat status {};
  return ::stat(full_path(path).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Resources resources_below(const std::string& root) {
  MachineFacts machine;
  if (root.empty()) {
    if (const auto count = sys::affinity_count(); count) {
      machine.affinity = *count;
    }
  }
  return read_resources(ContainerFiles(root), machine);
}

}  // namespace ni::app
