#include "loop/limit_watch.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/catch.h"

using namespace ni;

namespace {

// A folder of its own with one limit file.
struct LimitFile {
  LimitFile() {
    std::string name = (std::filesystem::temp_directory_path() / "limit_watch_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    write("max 100000\n");
  }
  ~LimitFile() { std::filesystem::remove_all(folder); }
  std::string path() const { return (folder / "cpu.max").string(); }
  // In place, as the kernel's files change.
  void write(const std::string& text) const { std::ofstream(path(), std::ios::trunc) << text; }
  std::filesystem::path folder;
};

// Runs the loop until `done` or for so long.
void run_for(uv_loop_t* loop, std::uint64_t milliseconds, const bool& done) {
  uv_timer_t end;
  bool over = false;
  uv_timer_init(loop, &end);
  end.data = &over;
  uv_timer_start(
      &end, [](uv_timer_t* timer) { *static_cast<bool*>(timer->data) = true; }, milliseconds, 0);
  while (!over && !done) uv_run(loop, UV_RUN_ONCE);
  uv_close(reinterpret_cast<uv_handle_t*>(&end), nullptr);
  uv_run(loop, UV_RUN_NOWAIT);
}

}  // namespace

TEST_CASE("a changed limit is told within the time of two checks, an unchanged one is not") {
  const LimitFile file;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    bool told = false;
    const std::vector<std::string> paths = {file.path(), "/nowhere/cpu.max"};
    loop::LimitWatch watch(&loop, paths, [&told] { told = true; });
    CHECK(watch.watch(paths) == 1);
    run_for(&loop, 100, told);
    CHECK_FALSE(told);
    file.write("50000 100000\n");
    run_for(&loop, 6000, told);
    CHECK(told);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("a change is told as soon as it happens, without waiting for the next check") {
  const LimitFile file;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    bool told = false;
    const bool never = false;
    const std::vector<std::string> paths = {file.path()};
    loop::LimitWatch watch(&loop, paths, [&told] { told = true; });
    run_for(&loop, 1050, never);  // the first second is free of checks
    file.write("50000 100000\n");
    run_for(&loop, 500, told);  // the next check is at 2 s
    CHECK(told);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("a storm of writes wakes us about once a second") {
  const LimitFile file;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    int told = 0;
    const bool never = false;
    const std::vector<std::string> paths = {file.path()};
    loop::LimitWatch watch(&loop, paths, [&told] { ++told; });
    uv_timer_t writer;
    int count = 0;
    struct Storm {
      const LimitFile* file;
      int* count;
    } storm{&file, &count};
    uv_timer_init(&loop, &writer);
    writer.data = &storm;
    uv_timer_start(
        &writer,
        [](uv_timer_t* timer) {
          const auto* self = static_cast<Storm*>(timer->data);
          self->file->write(std::to_string(1000 + ++*self->count) + " 100000\n");
        },
        5, 5);
    run_for(&loop, 3000, never);
    uv_close(reinterpret_cast<uv_handle_t*>(&writer), nullptr);
    CHECK(told >= 1);
    CHECK(told <= 4);
    CHECK(count > 20);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}
