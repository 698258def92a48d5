#include "sys/starting_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "support/catch.h"
#include "sys/fd.h"

using namespace ni;

namespace {

// A directory with us in it; back where we were at the end.
class Scene {
 public:
  Scene() : before_(std::filesystem::current_path()) {
    std::string name = "/tmp/nodeinit-start-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    std::filesystem::current_path(path);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path);
  }
  std::string path;

 private:
  std::filesystem::path before_;
};

std::string here() {
  return std::filesystem::current_path();
}

}  // namespace

TEST_CASE("the starting directory is left for / and can be visited") {
  const Scene scene;
  const auto start = sys::StartingDirectory::leave("");
  CHECK(here() == "/");
  {
    const auto visit = start.visit();
    REQUIRE(visit);
    CHECK(here() == scene.path);
  }
  CHECK(here() == "/");
}

TEST_CASE("what stands in the place of the starting directory by now is visited") {
  const Scene scene;
  const auto start = sys::StartingDirectory::leave("");
  std::filesystem::rename(scene.path, scene.path + "-old");
  {
    const auto gone = start.visit();
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == ENOENT);
    CHECK(here() == "/");
  }
  std::filesystem::create_directory(scene.path);
  CHECK(start.visit());
  std::filesystem::remove_all(scene.path + "-old");
}

TEST_CASE("a directory without a name is not left: nobody could come back") {
  const Scene scene;
  REQUIRE(::rmdir(scene.path.c_str()) == 0);
  const auto start = sys::StartingDirectory::leave("");
  const sys::UniqueFd still(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  REQUIRE(::fstat(still.get(), &status) == 0);
  CHECK(status.st_nlink == 0);  // the removed one
  CHECK(start.visit());
}

TEST_CASE("before it is left a visit changes nothing") {
  const Scene scene;
  const sys::StartingDirectory start;
  {
    const auto visit = start.visit();
    REQUIRE(visit);
    CHECK(here() == scene.path);
  }
  CHECK(here() == scene.path);
}

TEST_CASE("a link that was the directory's name is followed again only when asked") {
  const Scene scene;
  namespace fs = std::filesystem;
  for (const char* const release : {"/one", "/two"}) fs::create_directory(scene.path + release);
  const std::string current = scene.path + "/current";
  fs::create_symlink("one", current);
  fs::current_path(current);
  auto start = sys::StartingDirectory::leave(current);
  const auto visited = [&start] {
    const auto visit = start.visit();
    return visit ? here() : "nowhere";
  };
  fs::remove(current);
  start.follow_name();
  CHECK(visited() == scene.path + "/one");  // nothing is there
  fs::create_symlink("two", current);
  CHECK(visited() == scene.path + "/one");
  const auto before = start;
  start.follow_name();
  CHECK(visited() == scene.path + "/two");
  start = before;
  CHECK(visited() == scene.path + "/one");
  fs::remove(scene.path + "/one");  // an old release is removed: better the new one than nothing
  CHECK(visited() == scene.path + "/two");
}

TEST_CASE("a name that does not lead to the directory is none of it") {
  const Scene scene;
  auto start = sys::StartingDirectory::leave("/tmp");
  start.follow_name();
  const auto visit = start.visit();
  CHECK(here() == scene.path);
}
