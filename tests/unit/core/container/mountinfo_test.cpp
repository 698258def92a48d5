#include "core/container/mountinfo.h"

#include "core/container/cgroup_path.h"
#include "support/catch.h"

using namespace ni;

TEST_CASE("the separator of a mountinfo line is the field that is exactly a dash") {
  const auto table = parse_mountinfo(
      "36 35 98:0 /ro-ot /a-b/- rw,noatime shared:1 propagate_from:2 - cgroup2 none "
      "rw,nsdelegate\n");
  REQUIRE(table.mounts.size() == 1);
  CHECK(table.mounts[0].root == "/ro-ot");
  CHECK(table.mounts[0].mount_point == "/a-b/-");
  CHECK(table.mounts[0].type == "cgroup2");
  CHECK(table.mounts[0].has_option("nsdelegate"));
  CHECK_FALSE(table.mounts[0].has_option("ns"));
}

TEST_CASE("lines of mountinfo that make no sense are counted and passed over") {
  const auto table = parse_mountinfo(
      "garbage\n1 2 3\n\n  \n36 35 98:0 / /x rw -\n36 35 98:0 x /x rw - t s o\n"
      "36 35 98:0 / /x rw - cgroup s rw,cpu\r\n");
  CHECK(table.mounts.size() == 1);
  CHECK(table.ignored_lines == 4);
  CHECK(table.mounts[0].has_option("cpu"));
}

TEST_CASE("octal escapes are undone, everything else is left") {
  CHECK(unescape_octal("a\\040b\\134c\\011\\012\\043") == "a b\\c\t\n#");
  CHECK(unescape_octal("\\04") == "\\04");
  CHECK(unescape_octal("\\089") == "\\089");
  CHECK(unescape_octal("x\\") == "x\\");
  CHECK(unescape_octal("\\303\\251") == "\xC3\xA9");
}

TEST_CASE("a mount is covered by one on top of it or over a folder that leads to it") {
  const auto table = parse_mountinfo(
      "1 1 0:1 / / rw - overlay o rw\n"
      "2 1 0:2 / /sys rw - sysfs s rw\n"
      "3 2 0:3 / /sys/fs/cgroup rw - cgroup2 c rw\n"
      "4 3 0:3 /x /sys/fs/cgroup rw - cgroup2 c rw\n"
      "5 1 0:4 / /data/a rw - cgroup2 c rw\n"
      "6 1 0:5 / /data rw - tmpfs t rw\n"
      "7 6 0:4 / /data/a rw - cgroup2 c rw\n");
  REQUIRE(table.mounts.size() == 7);
  CHECK_FALSE(table.is_covered(table.mounts[1]));
  CHECK(table.is_covered(table.mounts[2]));
  CHECK_FALSE(table.is_covered(table.mounts[3]));
  CHECK(table.is_covered(table.mounts[4]));
  CHECK_FALSE(table.is_covered(table.mounts[6]));
}

TEST_CASE("mounts that are each other's parents do not hang us") {
  const auto table =
      parse_mountinfo("1 2 0:1 / /a rw - cgroup2 c rw\n2 1 0:1 / /a/b rw - cgroup2 c rw\n");
  REQUIRE(table.mounts.size() == 2);
  (void)table.is_covered(table.mounts[0]);
  (void)table.is_covered(table.mounts[1]);
}

TEST_CASE("/proc/self/cgroup is cut at its first two colons") {
  const auto file = parse_cgroup_file(
      "12:cpuacct,cpu:/a b/c:d\n11:memory:/m (deleted)\n1:name=systemd:/s\n0::/u:v.scope\n");
  CHECK(file.ignored_lines == 0);
  REQUIRE(file.v1("cpu") != nullptr);
  CHECK(file.v1("cpu")->path == "/a b/c:d");
  REQUIRE(file.v1("memory") != nullptr);
  CHECK(file.v1("memory")->path == "/m");
  CHECK(file.v1("cpuset") == nullptr);
  CHECK(file.v1("systemd") == nullptr);
  REQUIRE(file.unified() != nullptr);
  CHECK(file.unified()->path == "/u:v.scope");
}

TEST_CASE("lines of /proc/self/cgroup that make no sense are counted and passed over") {
  const auto file = parse_cgroup_file("x\n:\n::\n0:\n0::relative\n-1:cpu:/a\n7::/a\n0:cpu:/a\n\n");
  CHECK(file.entries.empty());
  CHECK(file.ignored_lines == 8);
  CHECK(parse_cgroup_file("").entries.empty());
}
