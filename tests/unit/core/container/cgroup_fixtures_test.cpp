// Every layout of tests/fixtures/cgroup: {name, files {path: content}, affinity, mem_total,
// expected {…}}.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/container/resources.h"
#include "core/sizing/plan.h"
#include "support/catch.h"
#include "support/map_files.h"
#include "wire/json.h"

using namespace ni;
using wire::Json;

namespace {

std::vector<std::string> fixture_paths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(NODEINIT_FIXTURES "/cgroup")) {
    if (entry.path().extension() == ".json") {
      paths.push_back(entry.path().string());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

Json load(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto json = Json::parse(text);
  return json ? *json : Json();
}

// How /proc/self/status says that `count` CPUs are allowed.
std::string status_of(std::int64_t count) {
  return "Name:\tnodeinit\nCpus_allowed_list:\t0-" + std::to_string(count - 1) + "\n";
}

void check(const Json& expected, const Resources& found) {
  const auto cpu_limit = expected.at("cpu_limit").number();
  REQUIRE(found.cpu_quota.has_value() == cpu_limit.has_value());
  if (cpu_limit) {
    CHECK(found.cpu_quota->value.exact() == Approx(*cpu_limit));
  }
  const auto memory_limit = expected.at("memory_limit").integer();
  REQUIRE(found.memory_limit.has_value() == memory_limit.has_value());
  if (memory_limit) {
    CHECK(found.memory_limit->value.value == static_cast<std::uint64_t>(*memory_limit));
  }
  const auto cpuset = expected.at("cpuset").integer();
  REQUIRE(found.cpuset.has_value() == cpuset.has_value());
  if (cpuset) {
    CHECK(found.cpuset->value == static_cast<unsigned>(*cpuset));
  }
  const auto approximate = expected.at("approximate").boolean();
  if (approximate) {
    CHECK(found.cpu_hierarchy.approximate == *approximate);
  }
  CHECK(make_plan(found, {}).workers ==
        static_cast<unsigned>(expected.at("workers").integer().value_or(0)));
}

}  // namespace

TEST_CASE("every known layout gives the limits and workers that it really has") {
  const auto paths = fixture_paths();
  REQUIRE(paths.size() >= 50);
  for (const auto& path : paths) {
    INFO(path);
    const Json json = load(path);
    REQUIRE(json.is_object());
    test::MapFiles files;
    for (const auto& [name, content] : json.at("files").members()) {
      files.put(name, content.string().value_or(""));
    }
    const auto affinity = json.at("affinity").integer();
    if (const auto total = json.at("mem_total").integer()) {
      files.put("/proc/meminfo", "MemTotal:  " + std::to_string(*total / 1024) + " kB\n");
    }
    // Affinity as the system call gives it, and as a captured /proc/self/status does.
    MachineFacts machine;
    if (affinity) {
      machine.affinity = static_cast<unsigned>(*affinity);
    }
    check(json.at("expected"), read_resources(files, machine));
    if (affinity) {
      files.put("/proc/self/status", status_of(*affinity));
    }
    check(json.at("expected"), read_resources(files, {}));
  }
}
