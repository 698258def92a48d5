#include "core/sizing/explain.h"

#include "core/sizing/sizing.h"
#include "support/catch.h"
#include "support/map_files.h"

using namespace ni;

namespace {

struct Explained {
  Resources resources;
  Config config;
  std::vector<Plan> plans;
};

Explained explained(std::vector<std::string> command, const Environment& environment = {}) {
  test::MapFiles files;
  files.put("/proc/self/cgroup", "0::/\n");
  files.put("/proc/self/mountinfo", "32 31 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  files.put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  files.put("/sys/fs/cgroup/memory.max", "536870912\n");
  Explained result;
  result.resources = read_resources(files, MachineFacts{.affinity = 8});
  result.config.programs.emplace_back();
  result.config.programs[0].command = std::move(command);
  result.plans = plan_programs(result.resources, result.config, environment);
  return result;
}

}  // namespace

TEST_CASE("the line at the start names limits, their files, workers and heap") {
  const Explained all = explained({"node", "a.js"});
  CHECK(
      limits_line(all.resources, all.plans[0]) ==
      "limits: 1.5 CPUs (/sys/fs/cgroup/cpu.max), 512 MiB (/sys/fs/cgroup/memory.max) → 2 workers, "
      "heap 194 MiB each");
}

TEST_CASE("the explanation for machines has the promised keys") {
  const Explained all = explained({"node", "a.js"});
  const auto json = explain_json(all.resources, all.config, all.plans);
  CHECK(json.at("cpu_limit").number() == 1.5);
  CHECK(json.at("memory_limit").integer() == 536870912);
  CHECK(json.at("workers").integer() == 2);
  CHECK(json.at("heap_mb").integer() == 194);
  CHECK(json.at("findings").size() >= 2);
  CHECK(json.at("programs").at(0).at("heap_flags_in").equals("argv"));
}

TEST_CASE("without a memory limit the explanation shows the machine as the machine alone") {
  test::MapFiles files;
  files.put("/proc/meminfo", "MemTotal:       25165824 kB\n");
  const Resources resources = read_resources(files, MachineFacts{.affinity = 2});
  Config config;
  config.programs.emplace_back().command = {"node", "a.js"};
  const auto plans = plan_programs(resources, config, {});
  const auto json = explain_json(resources, config, plans);
  CHECK(json.at("memory_limit").is_null());
  CHECK(json.at("resources").at("memory").is_null());
  CHECK(json.at("resources").at("machine_memory").at("value").integer() == 25165824 * 1024LL);
  CHECK(json.at("programs").at(0).at("memory").is_null());
  CHECK(json.at("programs").at(0).at("memory_per_worker").is_null());
  const auto text = explain_text(resources, config, plans);
  CHECK(text.find("24 GiB to use") == std::string::npos);
  CHECK(text.find("= no limit;") != std::string::npos);
}

TEST_CASE("the explanation for a person names every file with its verdict") {
  const Explained all = explained({"node", "a.js"});
  const auto text = explain_text(all.resources, all.config, all.plans);
  CHECK(text.find("binds       /sys/fs/cgroup/cpu.max = 150000 100000") != std::string::npos);
  CHECK(text.find("--max-old-space-size=194") != std::string::npos);
  CHECK(text.find("2 times in the container: what the program has once") != std::string::npos);
}

TEST_CASE("heap flags go into argv of node, into NODE_OPTIONS of anything else") {
  Explained all = explained({"node", "a.js"});
  std::vector<std::string> argv = {"/usr/bin/node", "a.js"};
  Environment environment = {{"NODE_OPTIONS", "--inspect"}};
  apply_heap(all.plans[0], argv, environment);
  CHECK(argv.size() == 4);
  CHECK(environment[0].second == "--inspect");

  argv = {"npx", "serve"};
  apply_heap(all.plans[0], argv, environment);
  CHECK(argv.size() == 2);
  CHECK(environment[0].second == "--inspect --max-old-space-size=194 --max-semi-space-size=2");
}

TEST_CASE("a heap option of the user's stops ours, wherever it stands") {
  CHECK(explained({"node", "a.js"}).plans[0].heap);
  CHECK_FALSE(explained({"node", "--max-heap-size=99", "a.js"}).plans[0].heap);
  CHECK_FALSE(
      explained({"node", "a.js"}, {{"NODE_OPTIONS", "--max_old_space_size=99"}}).plans[0].heap);
  CHECK(explained({"other", "--max-heap-size=99"}).plans[0].heap);
}
