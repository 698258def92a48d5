#include "core/sizing/plan.h"
#include "core/sizing/sizing.h"

#include "support/catch.h"

using namespace ni;

namespace {

using Kind = WorkerCount::Kind;

Resources granted(unsigned milli_cpus, std::uint64_t memory_mib) {
  Resources resources;
  resources.cpus = {MilliCpu{milli_cpus}, "test"};
  resources.cpus_narrowed = true;
  if (memory_mib > 0) {
    resources.memory_limit = {Bytes{memory_mib * kMiB}, "test"};
    resources.memory = resources.memory_limit;
  }
  return resources;
}

unsigned workers(const Resources& resources, const SizingRequest& request) {
  return make_plan(resources, request).workers;
}

}  // namespace

TEST_CASE("the fewest workers that can use the CPUs are started") {
  const std::vector<std::pair<unsigned, unsigned>> expected = {
      {10, 1},   {250, 1},  {500, 1},  {1000, 1}, {1200, 1}, {1201, 2}, {1250, 2},   {1500, 2},
      {2000, 2}, {2250, 2}, {2400, 2}, {2500, 3}, {3000, 3}, {3500, 3}, {4100, 4},   {5000, 5},
      {6000, 6}, {7200, 7}, {8000, 8}, {8400, 8}, {8500, 8}, {9700, 9}, {64000, 64},
  };
  for (const auto& [cpus, count] : expected) {
    INFO(cpus);
    CHECK(workers_for_cpus(MilliCpu{cpus}) == count);
  }
}

TEST_CASE("memory bounds the workers, each needs 128 MiB besides the reserve") {
  CHECK(workers(granted(8000, 512), {}) == 3);
  CHECK(workers(granted(8000, 288), {}) == 2);
  CHECK(workers(granted(8000, 287), {}) == 1);
  CHECK(workers(granted(8000, 64), {}) == 1);
  CHECK(workers(granted(8000, 1), {}) == 1);
  CHECK(workers(granted(40'000, 2048), {}) == 15);  // the reserve is 5 % here
  CHECK(workers(granted(8000, 0), {}) == 8);
}

TEST_CASE("what the user says wins") {
  const auto resources = granted(4000, 512);
  CHECK(workers(resources, {.workers = {Kind::exactly, 7}}) == 7);
  CHECK(workers(resources, {.workers = {Kind::exactly, 7}, .max_workers = 2}) == 7);
  CHECK(workers(resources, {.workers = {Kind::maximum, 0}}) == 4);
  CHECK(workers(resources, {.workers = {Kind::fewer, 1}}) == 2);
  CHECK(workers(resources, {.workers = {Kind::fewer, 9}}) == 1);
  CHECK(workers(resources, {.workers = {Kind::percent, 50}}) == 2);
  CHECK(workers(resources, {.workers = {Kind::percent, 1}}) == 1);
  CHECK(workers(resources, {.max_workers = 2}) == 2);
  CHECK(workers(granted(8000, 0), {.workers = {Kind::percent, 100}}) == 8);
  CHECK(workers(resources, {.workers = {Kind::exactly, 4'000'000}}) == kMostWorkers);
}

TEST_CASE("CPUs that nothing narrows down are shared: at most 16 workers") {
  Resources resources = granted(64'000, 0);
  resources.cpus_narrowed = false;
  CHECK(workers(resources, {}) == 16);
  resources.cpus_narrowed = true;
  CHECK(workers(resources, {}) == 64);
}

TEST_CASE("a worker's heap follows the formula that was measured") {
  const auto heap = [](unsigned count, std::uint64_t mib) {
    const Plan plan = make_plan(granted(1000 * count, mib), {.workers = {Kind::exactly, count}});
    REQUIRE(plan.heap);
    return *plan.heap;
  };
  CHECK(heap(1, 256) == HeapSize{178, 2});
  CHECK(heap(2, 512) == HeapSize{194, 2});
  CHECK(heap(3, 512) == HeapSize{114, 2});
  CHECK(heap(4, 1024) == HeapSize{197, 2});
  CHECK(heap(7, 1024) == HeapSize{95, 1});
  CHECK(heap(1, 4096) == HeapSize{3803, 16});
}

TEST_CASE("spares need memory, but no CPU") {
  const Plan plan = make_plan(granted(2000, 512), {.spares = 1});
  CHECK(plan.workers == 2);
  CHECK(plan.memory_per_worker == Bytes{160 * kMiB});
  CHECK(plan.heap == HeapSize{114, 2});
}

TEST_CASE("too little memory gives the least heap and a warning") {
  const Plan plan = make_plan(granted(10, 64), {});
  CHECK(plan.heap == HeapSize{kLeastOldSpaceMib, 1});
  CHECK(plan.warnings.size() == 1);
}

TEST_CASE("the heap is left alone when it is switched off, set by the user, or memory is unknown") {
  CHECK_FALSE(make_plan(granted(1000, 512), {.heap_auto = false}).heap);
  CHECK_FALSE(make_plan(granted(1000, 512), {.heap_option = "--max-old-space-size=9"}).heap);
  CHECK_FALSE(make_plan(granted(1000, 0), {}).heap);
}

TEST_CASE("without a limit the heap is not above what Node would take by itself") {
  Resources resources = granted(1000, 0);
  resources.memory = {Bytes{64 * kGiB}, "/proc/meminfo"};
  CHECK(make_plan(resources, {}).heap == HeapSize{4096, 16});
  resources.memory = {Bytes{512 * kMiB}, "/proc/meminfo"};
  CHECK(make_plan(resources, {}).heap == HeapSize{480 - 40 - 12, 4});
}

TEST_CASE("without a limit no worker has a share of the machine") {
  Resources resources = granted(1000, 0);
  resources.memory = {Bytes{64 * kGiB}, "/proc/meminfo"};
  CHECK_FALSE(make_plan(resources, {}).memory_per_worker);
}

TEST_CASE("a program plans with its part of the container") {
  const Plan plan = make_plan(granted(4000, 1024), {.cpu_share = 500, .memory_share = 250});
  CHECK(plan.cpus == MilliCpu{2000});
  CHECK(plan.memory == Bytes{256 * kMiB});
  CHECK(plan.workers == 1);
  CHECK(plan.heap == HeapSize{178, 2});
}

TEST_CASE("heap options are seen in argv up to the script, and in NODE_OPTIONS") {
  using Words = std::vector<std::string>;
  const auto in_argv = [](Words words) { return heap_option_in_argv(words).value_or(""); };
  CHECK(in_argv({"node", "--max-old-space-size=300", "a.js"}) == "--max-old-space-size=300");
  CHECK(in_argv({"node", "--max_old_space_size", "300", "a.js"}) == "--max_old_space_size");
  CHECK(in_argv({"node", "-r", "x", "--max-semi-space-size=4", "a.js"}) ==
        "--max-semi-space-size=4");
  CHECK(in_argv({"node", "--max-old-space-size-percentage=75", "a.js"}) != "");
  CHECK(in_argv({"node", "--max-heap-size=75", "a.js"}) != "");
  CHECK(in_argv({"node", "a.js", "--max-old-space-size=300"}) == "");
  CHECK(in_argv({"node", "--", "--max-old-space-size=300"}) == "");
  CHECK(in_argv({"node", "--inspect", "a.js"}) == "");
  CHECK(in_argv({"node"}) == "");
  CHECK(in_argv({}) == "");
  CHECK(heap_option_in_node_options("--inspect  --max-old-space-size=5").has_value());
  CHECK(heap_option_in_node_options("\"--max_old_space_size=5\"").has_value());
  CHECK_FALSE(heap_option_in_node_options("--require \"/a --max-old-space-size=5\"").has_value());
  CHECK_FALSE(heap_option_in_node_options("").has_value());
}

TEST_CASE("the flags stand before the user's options, or at the end of NODE_OPTIONS") {
  const std::vector<std::string> argv = {"/usr/bin/node", "--inspect", "a.js"};
  CHECK(with_heap_flags(argv, {194, 2}) ==
        std::vector<std::string>{"/usr/bin/node", "--max-old-space-size=194",
                                 "--max-semi-space-size=2", "--inspect", "a.js"});
  CHECK(node_options_with_heap_flags("", {194, 2}) ==
        "--max-old-space-size=194 --max-semi-space-size=2");
  CHECK(node_options_with_heap_flags(" --inspect ", {16, 1}) ==
        "--inspect --max-old-space-size=16 --max-semi-space-size=1");
  // What Node would refuse, it refuses: a line end is no space to it.
  CHECK(node_options_with_heap_flags("--inspect\n", {16, 1}) ==
        "--inspect\n --max-old-space-size=16 --max-semi-space-size=1");
  CHECK(is_node("node"));
  CHECK(is_node("/opt/nodejs"));
  CHECK_FALSE(is_node("nodemon"));
  CHECK_FALSE(is_node("/node/"));
}

TEST_CASE("a number of workers by hand is planned with the program's share as it is") {
  Config config;
  config.programs.resize(2);
  config.programs[0].share = 50;
  config.programs[0].workers = {.kind = WorkerCount::Kind::exactly, .amount = 2};
  const Resources resources = granted(2000, 1024);
  const Plan before = plan_programs(resources, config, {}).front();
  const Plan plan = plan_for_number(resources, config, 0, {}, 4);
  CHECK(plan.workers == 4);
  CHECK(plan.memory == before.memory);
  CHECK(plan.memory_per_worker == Bytes{before.memory_per_worker->value / 2});
}

TEST_CASE("a heap percentage is divided among those who would each take it of the container") {
  using Words = std::vector<std::string>;
  CHECK(with_divided_percentage(Words{"node", "--max_old_space_size_percentage=75", "a.js",
                                      "--max-old-space-size-percentage=9"},
                                2) == Words{"node", "--max_old_space_size_percentage=37.5", "a.js",
                                            "--max-old-space-size-percentage=9"});
  CHECK(
      with_divided_percentage(Words{"node", "--max-old-space-size-percentage", "50", "a.js"}, 4) ==
      Words{"node", "--max-old-space-size-percentage", "12.5", "a.js"});
  CHECK(with_divided_percentage(Words{"node", "--max-old-space-size-percentage"}, 4) ==
        Words{"node", "--max-old-space-size-percentage"});
  const auto in_options = [](std::string_view text) {
    return node_options_with_divided_percentage(text, 2);
  };
  CHECK(in_options("--a  --max-old-space-size-percentage=75 -r 'x y'") ==
        "--a  --max-old-space-size-percentage=37.5 -r 'x y'");
  CHECK(in_options("--max-old-space-size-percentage 50") == "--max-old-space-size-percentage 25");
  CHECK(in_options("--max-old-space-size-percentage=many") ==
        "--max-old-space-size-percentage=many");
  CHECK(in_options("") == "");
  CHECK(in_options("--max-old-space-size-percentage=0.5") ==
        "--max-old-space-size-percentage=0.25");
  CHECK(in_options("--max-old-space-size-percentage=33.3333") ==
        "--max-old-space-size-percentage=16.666");
  const SizingRequest request{.workers = {.kind = WorkerCount::Kind::exactly, .amount = 3},
                              .heap_option = "--max-old-space-size-percentage=75"};
  CHECK(make_plan(granted(1000, 512), request).percentage_among == 3);
  SizingRequest other = request;
  other.heap_option = "--max-old-space-size=75";
  CHECK(make_plan(granted(1000, 512), other).percentage_among == 1);
}

TEST_CASE("what is planned with may be less than the limit, and is a limit where there is none") {
  Resources resources = granted(2000, 1000);
  SizingRequest request{.workers = {.kind = WorkerCount::Kind::exactly, .amount = 2}};
  const Bytes all = *make_plan(resources, request).memory_per_worker;
  request.memory = MemoryAmount{.percent = 50};
  const Plan half = make_plan(resources, request);
  CHECK(half.memory == Bytes{500 * kMiB});
  CHECK(half.memory_per_worker->value < all.value);
  request.memory = MemoryAmount{.bytes = Bytes{400 * kMiB}};
  CHECK(make_plan(resources, request).memory == Bytes{400 * kMiB});
  request.memory = MemoryAmount{.bytes = Bytes{4000 * kMiB}};
  const Plan more = make_plan(resources, request);
  CHECK(more.memory == Bytes{1000 * kMiB});
  CHECK(more.warnings.size() == 1);
  resources.memory_limit.reset();
  request.memory = MemoryAmount{.bytes = Bytes{400 * kMiB}};
  CHECK(make_plan(resources, request).memory_per_worker.has_value());
}

TEST_CASE("a range is planned for the most, and begins with the least") {
  const auto range = [](unsigned least, unsigned most) {
    return SizingRequest{.workers = {.kind = Kind::range, .amount = least, .most = most}};
  };
  const Plan plan = make_plan(granted(4000, 2048), range(1, 0));
  CHECK(plan.workers == 4);
  CHECK(plan.least_workers == 1);
  CHECK(plan.follows_load());
  CHECK(plan.heap == make_plan(granted(4000, 2048), {}).heap);
  CHECK(plan.fit(0) == 1);
  CHECK(plan.fit(3) == 3);
  CHECK(plan.fit(9) == 4);
  const Plan set = make_plan(granted(1000, 2048), range(2, 6));
  CHECK(set.workers == 6);
  CHECK(set.least_workers == 2);
  const Plan narrow = make_plan(granted(2000, 2048), range(8, 0));
  CHECK(narrow.workers == 2);
  CHECK(narrow.least_workers == 2);
  CHECK_FALSE(narrow.follows_load());
  CHECK(make_plan(granted(4000, 2048), {}).least_workers == 4);
}
