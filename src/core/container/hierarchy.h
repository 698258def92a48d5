#pragma once

// Where the files of one controller lie for this process: the directories of its own group and of
// every visible group above it.
//
// /proc/self/cgroup says the group, mountinfo says where (part of) the tree is mounted. The mount
// whose root is the longest component-wise prefix of the group's path, and below which the rest of
// the path exists, is the right one; another mount of the same tree may show the groups above that
// root. When none is (a group outside the cgroup namespace, a bind
// mount of another group, files of /proc that cannot be read), there is always a stated fallback,
// marked as approximate: nearest visible groups, the mount itself, the well-known places.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_reader.h"
#include "core/container/cgroup_path.h"
#include "core/container/mountinfo.h"

namespace ni {

enum class Controller : std::uint8_t { cpu, cpuset, memory };
inline constexpr std::array kControllers = {Controller::cpu, Controller::cpuset,
                                            Controller::memory};
std::string_view to_string(Controller controller);

struct Hierarchy {
  unsigned version = 0;  // of cgroup: 1 or 2; 0: no place was found
  std::string path;      // the group as /proc/self/cgroup tells it; empty: unknown
  std::string mount_point;
  std::vector<std::string> levels;  // directories: the process's own group first, the highest last
  bool approximate = false;         // the process's own group could not be found in that tree
  std::string how;                  // one sentence: how the place was found

  bool found() const { return !levels.empty(); }
};

// What /proc/self told; `readable` is false when the file could not be read.
struct ProcSelf {
  CgroupFile groups;
  bool groups_readable = false;
  MountTable mounts;
  bool mounts_readable = false;
};

Hierarchy locate(Controller controller, const ProcSelf& proc, const FileReader& files);

// The v2 tree for its own sake (pressure): where /proc/self/cgroup and mountinfo tell of it.
Hierarchy locate_unified(const ProcSelf& proc, const FileReader& files);

}  // namespace ni
