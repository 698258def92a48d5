#include "core/sizing/plan.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace ni {
namespace {

// What Node takes at most by itself for a heap without options, on a machine with 16 GiB or more.
constexpr unsigned kNodesLargestDefaultMib = 4096;

template <class Count>
std::uint64_t part(Count amount, unsigned thousandths) {
  const std::uint64_t share = std::clamp(thousandths, 1U, 1000U);
  return amount / 1000 * share + amount % 1000 * share / 1000;
}

class Planner {
 public:
  Planner(const Resources& resources, const SizingRequest& request)
      : resources_(resources), request_(request), is_bounded_(resources.memory_limit.has_value()) {}

  Plan make() {
    take_share();
    count_workers();
    size_workers_heap();
    return std::move(plan_);
  }

 private:
  struct Count {
    unsigned value = 1;
    std::string reason;
  };

  void take_share();
  std::optional<Bytes> memory_by_setting(std::optional<Bytes> all);
  Count by_cpu(MilliCpu cpus);
  // `count`, or as many as fit into the memory.
  Count capped_by_memory(Count count);
  Count capped_by_user(Count count) const;
  void count_workers();
  void size_workers_heap();
  void step(std::string line) { plan_.steps.push_back(std::move(line)); }
  void heap_step(std::string line) { plan_.heap_steps.push_back(std::move(line)); }

  const Resources& resources_;
  const SizingRequest& request_;
  bool is_bounded_;  // the memory is ours to use up, by a limit or as the user says
  Plan plan_;
};

void Planner::take_share() {
  plan_.cpus =
      MilliCpu{std::max<std::uint64_t>(1, part(resources_.cpus.value.value, request_.cpu_share))};
  step(fmt::format("CPUs to use: {} ({})", format_cpus(resources_.cpus.value),
                   resources_.cpus.source));
  if (request_.cpu_share < 1000) {
    step(fmt::format("this program's share: {} % = {} CPUs",
                     format_cpus({request_.cpu_share * 100}), format_cpus(plan_.cpus)));
  }
  std::optional<Bytes> all;
  if (resources_.memory) {
    all = resources_.memory->value;
    step(fmt::format("memory to use: {} ({}{})", format_size(*all),
                     resources_.memory_limit ? "" : "no limit, all of the machine: ",
                     resources_.memory->source));
  }
  if (const auto planned = memory_by_setting(all)) {
    all = planned;
    step(fmt::format("memory to plan with: {} (NODEINIT_MEMORY)", format_size(*all)));
  }
  if (all) {
    plan_.memory = Bytes{part(all->value, request_.memory_share)};
    if (request_.memory_share < 1000) {
      step(fmt::format("this program's share: {} % = {}",
                       format_cpus({request_.memory_share * 100}), format_size(*plan_.memory)));
    }
  } else {
    step("memory to use: not known");
  }
}

// Never more than a limit. A size is one where the container has none; a share of nothing is nothing.
std::optional<Bytes> Planner::memory_by_setting(std::optional<Bytes> all) {
  if (!request_.memory || (request_.memory->percent != 0 && !all)) {
    return std::nullopt;
  }
  if (request_.memory->percent != 0) {
    return Bytes{all->value / 100 * request_.memory->percent};
  }
  const Bytes wanted = request_.memory->bytes;
  if (resources_.memory_limit && wanted.value > resources_.memory_limit->value.value) {
    plan_.warnings.push_back(
        fmt::format("NODEINIT_MEMORY is {}, the container's limit {}: that is planned with",
                    format_size(wanted), format_size(resources_.memory_limit->value)));
    return resources_.memory_limit->value;
  }
  is_bounded_ = true;
  return wanted;
}

Planner::Count Planner::by_cpu(MilliCpu cpus) {
  if (!resources_.cpus_narrowed && cpus.value > std::uint64_t{kMostSharedCpus} * 1000) {
    step(
        fmt::format("workers by CPU: no limit, and {} CPUs are shared with the rest of the "
                    "machine: at most {}",
                    format_cpus(cpus), kMostSharedCpus));
    return {kMostSharedCpus, fmt::format("no CPU limit, at most {}", kMostSharedCpus)};
  }
  const unsigned workers = workers_for_cpus(cpus);
  step(fmt::format("workers by CPU: max(1, floor({0}), ceil({0} / 1.2)) = {1}", format_cpus(cpus),
                   workers));
  return {workers, fmt::format("{} CPUs", format_cpus(cpus))};
}

Planner::Count Planner::capped_by_memory(Count count) {
  if (!plan_.memory) {
    return count;
  }
  const Bytes reserve = memory_reserve(*plan_.memory);
  const std::uint64_t left =
      plan_.memory->value > reserve.value ? plan_.memory->value - reserve.value : 0;
  const std::uint64_t places = left / kLeastPerWorker.value;
  const std::uint64_t fit =
      std::max<std::uint64_t>(1, places > request_.spares ? places - request_.spares : 0);
  step(fmt::format("workers by memory: max(1, floor(({} - {} reserve) / {}){}) = {}",
                   format_size(*plan_.memory), format_size(reserve), format_size(kLeastPerWorker),
                   request_.spares > 0 ? fmt::format(" - {} spare", request_.spares) : "", fit));
  if (fit < count.value) {
    return {static_cast<unsigned>(fit),
            fmt::format("memory: {} holds {} of at least {}", format_size(*plan_.memory), fit,
                        format_size(kLeastPerWorker))};
  }
  return count;
}

Planner::Count Planner::capped_by_user(Count count) const {
  if (request_.max_workers && *request_.max_workers < count.value) {
    const unsigned most = std::max(1U, *request_.max_workers);
    return {most, fmt::format("at most {} by setting", most)};
  }
  return count;
}

void Planner::count_workers() {
  using Kind = WorkerCount::Kind;
  const unsigned amount = request_.workers.amount;
  Count count;
  switch (request_.workers.kind) {
    case Kind::automatic:
    case Kind::range:
      count = capped_by_user(capped_by_memory(by_cpu(plan_.cpus)));
      break;
    case Kind::maximum:
      count = capped_by_user(by_cpu(plan_.cpus));
      count.reason += ", memory not considered";
      break;
    case Kind::exactly:
      count = {std::max(1U, amount), "as set"};
      break;
    case Kind::fewer:
      count = capped_by_memory(by_cpu(plan_.cpus));
      count.value = count.value > amount ? count.value - amount : 1;
      count = capped_by_user({count.value, fmt::format("{}, less {}", count.reason, amount)});
      break;
    case Kind::percent: {
      const MilliCpu cpus{std::max<std::uint64_t>(
          1, plan_.cpus.value / 100 * amount + plan_.cpus.value % 100 * amount / 100)};
      step(fmt::format("{} % of {} CPUs = {}", amount, format_cpus(plan_.cpus), format_cpus(cpus)));
      count = capped_by_user(capped_by_memory(by_cpu(cpus)));
      break;
    }
  }
  if (request_.workers.kind == Kind::range && request_.workers.most != 0) {
    count = {request_.workers.most, "as set"};
  }
  if (count.value > kMostWorkers) {
    plan_.warnings.push_back(
        fmt::format("{} workers are too many, {} are started", count.value, kMostWorkers));
    count.value = kMostWorkers;
  }
  plan_.workers = count.value;
  plan_.least_workers =
      request_.workers.kind == Kind::range ? std::min(amount, count.value) : count.value;
  plan_.workers_reason = std::move(count.reason);
  if (plan_.follows_load()) {
    plan_.workers_reason =
        fmt::format("from {} as the load wants; at most: {}", amount, plan_.workers_reason);
  }
  step(fmt::format("workers: {} ({})", plan_.workers, plan_.workers_reason));
}

void Planner::size_workers_heap() {
  std::optional<Bytes> per_worker;
  if (plan_.memory) {
    const Bytes reserve = memory_reserve(*plan_.memory);
    const std::uint64_t left =
        plan_.memory->value > reserve.value ? plan_.memory->value - reserve.value : 0;
    const std::uint64_t sharers = std::uint64_t{plan_.workers} + request_.spares;
    per_worker = Bytes{left / sharers};
    if (is_bounded_) {
      plan_.memory_per_worker = per_worker;
    }
    heap_step(fmt::format("{}memory per worker: ({} - {} reserve) / {}{} = {}",
                          is_bounded_ ? "" : "no limit; were the machine ours, ",
                          format_size(*plan_.memory), format_size(reserve), sharers,
                          request_.spares > 0 ? " (spares counted)" : "",
                          format_size(*per_worker)));
  }
  if (!request_.heap_auto) {
    plan_.heap_reason = "left to Node: switched off by setting";
  } else if (request_.heap_option) {
    plan_.heap_reason = "left alone: set by " + printable(*request_.heap_option, 80);
    const unsigned among = plan_.workers + request_.spares;
    if (is_heap_percentage(*request_.heap_option) && among > 1) {
      plan_.percentage_among = among;
      plan_.heap_reason = fmt::format("{} of the container, divided among {}",
                                      printable(*request_.heap_option, 80), among);
    }
  } else if (!per_worker) {
    plan_.heap_reason = "left to Node: neither a limit nor the machine's memory is known";
  } else {
    const SizedHeap sized = size_heap(*per_worker);
    plan_.heap = sized.size;
    plan_.heap_reason =
        fmt::format("{} - {} MiB outside the heap - 3 x {} MiB semi space",
                    format_size(*per_worker), kOutsideHeapMib, sized.size.semi_space_mib);
    if (!is_bounded_ && plan_.heap->old_space_mib > kNodesLargestDefaultMib) {
      plan_.heap->old_space_mib = kNodesLargestDefaultMib;
      plan_.heap_reason = fmt::format(
          "no memory limit: the machine's memory is shared, not above Node's own largest default");
    }
    if (sized.cramped) {
      plan_.heap_reason = fmt::format("{} per worker is too little, the least that starts is used",
                                      format_size(*per_worker));
      plan_.warnings.push_back(fmt::format(
          "{} per worker is less than a Node worker needs: expect it to be killed by the kernel",
          format_size(*per_worker)));
    }
  }
  heap_step(plan_.heap ? fmt::format("heap per worker: {} MiB ({})", plan_.heap->old_space_mib,
                                     plan_.heap_reason)
                       : fmt::format("heap per worker: {}", plan_.heap_reason));
}

}  // namespace

unsigned workers_for_cpus(MilliCpu cpus) {
  const std::uint64_t whole = cpus.value / 1000;
  const std::uint64_t needed = cpus.value / 1200 + (cpus.value % 1200 != 0 ? 1 : 0);
  const std::uint64_t workers = std::max({std::uint64_t{1}, whole, needed});
  return static_cast<unsigned>(std::min<std::uint64_t>(workers, UINT32_MAX));
}

Bytes memory_reserve(Bytes memory) {
  return Bytes{std::max<std::uint64_t>(32 * kMiB, memory.value / 20)};
}

Plan make_plan(const Resources& resources, const SizingRequest& request) {
  return Planner(resources, request).make();
}

}  // namespace ni
