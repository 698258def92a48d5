#include "core/container/cgroup_path.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace ni {
namespace {

// The kernel builds these paths in one buffer of PATH_MAX bytes (cgroup_path_ns_locked, Linux 6.1).
constexpr std::size_t kLongestPath = 4096;
// cgroup v1 knows at most 16 hierarchies (CGROUP_SUBSYS_COUNT) besides named ones.
constexpr std::size_t kMostEntries = 256;
constexpr std::string_view kDeleted = " (deleted)";

std::string_view without_line_end(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

bool parse_line(std::string_view line, CgroupEntry& entry) {
  const auto first = line.find(':');
  if (first == std::string_view::npos) {
    return false;
  }
  const auto second = line.find(':', first + 1);
  if (second == std::string_view::npos) {
    return false;
  }
  const auto number = parse_number<unsigned>(trim(line.substr(0, first)));
  std::string_view path = line.substr(second + 1);
  // cgroups(7): the suffix is shown when the group has been removed while the process is in it.
  if (path.ends_with(kDeleted)) {
    path.remove_suffix(kDeleted.size());
  }
  if (!number || !path.starts_with('/') || path.size() > kLongestPath) {
    return false;
  }
  entry.hierarchy = *number;
  entry.path = path;
  for (const auto name : split(line.substr(first + 1, second - first - 1), ',')) {
    if (!trim(name).empty()) {
      entry.controllers.emplace_back(trim(name));
    }
  }
  // Only v2 has no controllers, and it is always number 0.
  return (entry.hierarchy == 0) == entry.controllers.empty();
}

}  // namespace

const CgroupEntry* CgroupFile::v1(std::string_view controller) const {
  const auto found = std::ranges::find_if(entries, [controller](const CgroupEntry& entry) {
    return std::ranges::find(entry.controllers, controller) != entry.controllers.end();
  });
  return found == entries.end() ? nullptr : &*found;
}

const CgroupEntry* CgroupFile::unified() const {
  const auto found = std::ranges::find_if(
      entries, [](const CgroupEntry& entry) { return entry.controllers.empty(); });
  return found == entries.end() ? nullptr : &*found;
}

CgroupFile parse_cgroup_file(std::string_view text) {
  CgroupFile file;
  for (const auto piece : split(text, '\n')) {
    const auto line = without_line_end(piece);
    if (trim(line).empty()) {
      continue;
    }
    CgroupEntry entry;
    if (file.entries.size() < kMostEntries && parse_line(line, entry)) {
      file.entries.push_back(std::move(entry));
    } else {
      ++file.ignored_lines;
    }
  }
  return file;
}

std::vector<std::string> path_components(std::string_view path) {
  std::vector<std::string> components;
  for (const auto name : split(path, '/')) {
    if (!name.empty() && name != ".") {
      components.emplace_back(name);
    }
  }
  return components;
}

}  // namespace ni
