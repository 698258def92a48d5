#include "core/sizing/explain.h"

#include "core/sizing/heap.h"

namespace ni {
namespace {

using wire::Json;

template <class T, class Show>
Json sourced(const std::optional<Sourced<T>>& figure, Show show) {
  if (!figure) {
    return Json(nullptr);
  }
  return Json::object({{"value", show(figure->value)}, {"source", figure->source}});
}

Json bytes_json(Bytes bytes) {
  return Json(bytes.value);
}

Json count_json(unsigned count) {
  return Json(count);
}

Json cpus_json(MilliCpu cpus) {
  return Json(static_cast<double>(cpus.value) / 1000);
}

Json quota_json(const CpuQuota& quota) {
  return Json::object(
      {{"cpus", quota.exact()}, {"quota_us", quota.quota_us}, {"period_us", quota.period_us}});
}

Json texts(const std::vector<std::string>& lines) {
  Json array = Json::array();
  for (const auto& line : lines) {
    array.push(line);
  }
  return array;
}

Json place_json(const Hierarchy& place) {
  return Json::object({{"version", place.version},
                       {"group", place.path.empty() ? Json(nullptr) : Json(place.path)},
                       {"levels", texts(place.levels)},
                       {"approximate", place.approximate},
                       {"how", place.how}});
}

Json resources_json(const Resources& resources) {
  return Json::object(
      {{"cpus", Json::object({{"value", cpus_json(resources.cpus.value)},
                              {"source", resources.cpus.source}})},
       {"cpus_narrowed", resources.cpus_narrowed},
       {"cpu_quota", sourced(resources.cpu_quota, quota_json)},
       {"cpuset", sourced(resources.cpuset, count_json)},
       {"affinity", sourced(resources.affinity, count_json)},
       {"machine_cpus", sourced(resources.machine_cpus, count_json)},
       {"memory", sourced(resources.memory_limit ? resources.memory : std::nullopt, bytes_json)},
       {"memory_limit", sourced(resources.memory_limit, bytes_json)},
       {"machine_memory", sourced(resources.machine_memory, bytes_json)},
       {"places", Json::object({{"cpu", place_json(resources.cpu_hierarchy)},
                                {"cpuset", place_json(resources.cpuset_hierarchy)},
                                {"memory", place_json(resources.memory_hierarchy)}})}});
}

Json findings_json(const Resources& resources) {
  Json array = Json::array();
  for (const Finding& finding : resources.findings) {
    array.push(Json::object({{"controller", to_string(finding.controller)},
                             {"path", finding.path},
                             {"text", finding.text},
                             {"verdict", to_string(finding.verdict)},
                             {"note", finding.note}}));
  }
  return array;
}

Json heap_json(const Plan& plan) {
  return plan.heap ? Json(plan.heap->old_space_mib) : Json(nullptr);
}

// `limited`: what it plans with is a limit's, and not the machine's.
Json program_json(const ProgramConfig& program, const Plan& plan, bool limited) {
  const bool into_argv = program.command.empty() || is_node(program.command.front());
  Json json =
      Json::object({{"name", program.name},
                    {"command", texts(program.command)},
                    {"workers", plan.workers},
                    {"workers_least", plan.least_workers},
                    {"workers_reason", plan.workers_reason},
                    {"cpus", cpus_json(plan.cpus)},
                    {"memory", plan.memory && limited ? bytes_json(*plan.memory) : Json(nullptr)},
                    {"memory_per_worker",
                     plan.memory_per_worker ? bytes_json(*plan.memory_per_worker) : Json(nullptr)},
                    {"heap_mb", heap_json(plan)},
                    {"semi_space_mb", plan.heap ? Json(plan.heap->semi_space_mib) : Json(nullptr)},
                    {"heap_reason", plan.heap_reason}});
  if (plan.heap) {
    json.set("heap_flags", texts(heap_flags(*plan.heap)));
    json.set("heap_flags_in", into_argv ? "argv" : "NODE_OPTIONS");
  }
  std::vector<std::string> steps = plan.steps;
  steps.insert(steps.end(), plan.heap_steps.begin(), plan.heap_steps.end());
  json.set("steps", texts(steps));
  json.set("warnings", texts(plan.warnings));
  return json;
}

}  // namespace

Json explain_json(const Resources& resources, const Config& config, std::span<const Plan> plans) {
  std::uint64_t workers = 0;
  Json programs = Json::array();
  for (std::size_t i = 0; i < plans.size() && i < config.programs.size(); ++i) {
    workers += plans[i].workers;
    programs.push(program_json(config.programs[i], plans[i], resources.memory_limit.has_value()));
  }
  return Json::object(
      {{"cpu_limit",
        resources.cpu_quota ? Json(resources.cpu_quota->value.exact()) : Json(nullptr)},
       {"memory_limit",
        resources.memory_limit ? bytes_json(resources.memory_limit->value) : Json(nullptr)},
       {"workers", workers},
       {"heap_mb", plans.empty() ? Json(nullptr) : heap_json(plans.front())},
       {"resources", resources_json(resources)},
       {"findings", findings_json(resources)},
       {"notes", texts(resources.notes)},
       {"programs", programs}});
}

}  // namespace ni
