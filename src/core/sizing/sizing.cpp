#include "core/sizing/sizing.h"

#include <algorithm>

#include "core/sizing/heap.h"

namespace ni {
namespace {

constexpr std::string_view kNodeOptions = "NODE_OPTIONS";

}  // namespace

SizingRequest sizing_request(const ProgramConfig& program, const ContainerPart& part,
                             const Environment& environment) {
  SizingRequest request{.workers = program.workers,
                        .max_workers = program.max_workers,
                        .spares = program.spares,
                        .heap_auto = program.heap_auto,
                        .heap_option = {},
                        .cpu_share = part.cpu,
                        .memory_share = part.memory};
  if (!program.command.empty() && is_node(program.command.front())) {
    request.heap_option = heap_option_in_argv(program.command);
  }
  if (!request.heap_option) {
    const auto own = find_variable(program.environment, kNodeOptions);
    const auto value = own ? own : find_variable(environment, kNodeOptions);
    request.heap_option = heap_option_in_node_options(value.value_or(""));
  }
  return request;
}

std::vector<Plan> plan_programs(const Resources& resources, const Config& config,
                                const Environment& environment) {
  const auto parts = share_out(config.programs, resources.cpus.value);
  std::vector<Plan> plans;
  for (std::size_t i = 0; i < config.programs.size(); ++i) {
    SizingRequest request = sizing_request(config.programs[i], parts[i], environment);
    request.memory = config.memory;
    plans.push_back(make_plan(resources, request));
  }
  return plans;
}

Plan plan_for_number(const Resources& resources, const Config& config, std::size_t index,
                     const Environment& environment, unsigned workers) {
  const auto parts = share_out(config.programs, resources.cpus.value);
  SizingRequest request = sizing_request(config.programs[index], parts[index], environment);
  request.memory = config.memory;
  request.workers = {.kind = WorkerCount::Kind::exactly, .amount = workers};
  Plan plan = make_plan(resources, request);
  plan.workers_reason = "as asked for since the start";
  return plan;
}

void apply_heap(const Plan& plan, std::vector<std::string>& argv, Environment& environment) {
  const auto variable =
      std::ranges::find(environment, kNodeOptions, &Environment::value_type::first);
  if (plan.percentage_among > 1 && !argv.empty()) {
    if (is_node(argv.front())) {
      argv = with_divided_percentage(argv, plan.percentage_among);
    }
    if (variable != environment.end()) {
      variable->second =
          node_options_with_divided_percentage(variable->second, plan.percentage_among);
    }
  }
  if (!plan.heap || argv.empty()) {
    return;
  }
  if (is_node(argv.front())) {
    argv = with_heap_flags(argv, *plan.heap);
    return;
  }
  if (variable == environment.end()) {
    environment.emplace_back(kNodeOptions, node_options_with_heap_flags({}, *plan.heap));
  } else {
    variable->second = node_options_with_heap_flags(variable->second, *plan.heap);
  }
}

}  // namespace ni
