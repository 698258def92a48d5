#pragma once

// /proc/self/cgroup: in which group of each hierarchy this process is.
//
//   12:cpu,cpuacct:/kubepods/pod1/abc        v1: hierarchy number, its controllers, the path
//   1:name=systemd:/…                        v1 without a controller
//   0::/kubepods.slice/abc.scope             v2
//
// The path is relative to the root of the process's cgroup namespace and not escaped; it may
// contain colons and blanks, and starts with "/.." when the group lies outside that namespace.
// cgroups(7), cgroup_namespaces(7).

#include <string>
#include <string_view>
#include <vector>

namespace ni {

struct CgroupEntry {
  unsigned hierarchy = 0;                // 0: v2
  std::vector<std::string> controllers;  // empty: v2
  std::string path;                      // starts with "/"
};

struct CgroupFile {
  std::vector<CgroupEntry> entries;
  unsigned ignored_lines = 0;  // lines that say nothing

  // The v1 hierarchy that carries `controller`; nullptr: none.
  const CgroupEntry* v1(std::string_view controller) const;
  // The v2 hierarchy; nullptr: none.
  const CgroupEntry* unified() const;
};

CgroupFile parse_cgroup_file(std::string_view text);

// "/a//b/./c" is {"a", "b", "c"}; ".." is kept, because in a cgroup path it means "above what we
// can see".
std::vector<std::string> path_components(std::string_view path);

}  // namespace ni
