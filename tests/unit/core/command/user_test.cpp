#include "core/command/user.h"

#include <cerrno>
#include <map>

#include "support/catch.h"

using namespace ni;

namespace {

class Files final : public FileReader {
 public:
  explicit Files(std::map<std::string, std::string, std::less<>> files)
      : files_(std::move(files)) {}
  Result<std::string> read(std::string_view path) const override {
    const auto found = files_.find(path);
    if (found == files_.end()) {
      return Error{.operation = "open", .subject = std::string(path), .code = ENOENT, .reason = {}};
    }
    return found->second;
  }
  bool is_directory(std::string_view /*path*/) const override { return false; }

 private:
  std::map<std::string, std::string, std::less<>> files_;
};

const Files kImage(
    {{"/etc/passwd",
      "root:x:0:0:root:/root:/bin/bash\n"
      "# a comment\n\nbroken:x\nworse:x:one:2:\n"
      "node:x:1000:1001::/srv/node:/bin/bash\n"},
     {"/etc/group",
      "root:x:0:\nstaff:x:50:alice,node\nvideo:x:44:node\nnodes:x:1001:\nshort:x:7\n"}});
const Files kScratch({});

UserIds resolved(std::string_view user, const FileReader& files) {
  const auto ids = resolve_user(user, files);
  REQUIRE(ids);
  return *ids;
}

}  // namespace

TEST_CASE("a name of the passwd file brings its group and those that list it") {
  const UserIds node{.uid = 1000, .gid = 1001, .groups = {50, 44}};
  CHECK(resolved("node", kImage) == node);
  CHECK(resolved("1000", kImage) == node);
  CHECK(resolved("root", kImage) == UserIds{.uid = 0, .gid = 0, .groups = {}});
}

TEST_CASE("a group that is named is the only one") {
  CHECK(resolved("node:staff", kImage) == UserIds{.uid = 1000, .gid = 50, .groups = {}});
  CHECK(resolved("1000:77", kImage) == UserIds{.uid = 1000, .gid = 77, .groups = {}});
}

TEST_CASE("numbers need no files") {
  CHECK(resolved("10001", kScratch) == UserIds{.uid = 10001, .gid = 0, .groups = {}});
  CHECK(resolved("10001:10002", kScratch) == UserIds{.uid = 10001, .gid = 10002, .groups = {}});
  CHECK(resolved("10001", kImage) == UserIds{.uid = 10001, .gid = 0, .groups = {}});
}

TEST_CASE("what the files do not have is an error that names it") {
  for (const auto* wrong :
       {"nobody-here", "nobody-here:0", "node:no-such-group", "worse", "broken"}) {
    INFO(wrong);
    CHECK_FALSE(resolve_user(wrong, kImage));
  }
  CHECK(to_string(resolve_user("nobody-here", kImage).error()) ==
        "cannot find user nobody-here: not in /etc/passwd");
  CHECK(to_string(resolve_user("node", kScratch).error()) ==
        "cannot open /etc/passwd: No such file or directory");
  CHECK_FALSE(resolve_user("1000:staff", kScratch));
}
