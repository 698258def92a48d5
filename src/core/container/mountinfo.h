#pragma once

// /proc/self/mountinfo, proc_pid_mountinfo(5):
//
//   36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
//   id parent dev root mount_point options optional…   - type source  super_options
//
// Root and mount point are octal-escaped (blank, tab, newline, backslash, #). The separator is the
// field that is exactly "-": a mount point may contain " - " only escaped, but a dash anywhere.

#include <string>
#include <string_view>
#include <vector>

namespace ni {

struct Mount {
  unsigned id = 0;
  unsigned parent = 0;
  std::string root;                        // of the mounted tree, inside its file system
  std::string mount_point;                 // where it is seen
  std::string type;                        // "cgroup", "cgroup2", "tmpfs", …
  std::vector<std::string> super_options;  // for "cgroup" the controllers are among them

  bool has_option(std::string_view option) const;
};

struct MountTable {
  std::vector<Mount> mounts;   // in the order of the file
  unsigned ignored_lines = 0;  // lines that could not be read

  // Something is mounted over it, or over a folder that leads to it: opening its mount point shows
  // another file system.
  bool is_covered(const Mount& mount) const;
};

MountTable parse_mountinfo(std::string_view text);

// "\040" is a blank; anything that is not a backslash with three octal digits stays as it is.
std::string unescape_octal(std::string_view text);

}  // namespace ni
