#include "core/container/resources.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace ni {
namespace {

using Verdict = Finding::Verdict;

// Reads the limit files of one container into a Resources.
class Survey {
 public:
  Survey(const FileReader& files, Resources& resources) : files_(files), to_(resources) {}

  void read_places();
  void read_cpu();
  void read_cpuset();
  void read_memory();
  void read_machine(const MachineFacts& machine);
  void conclude();

 private:
  // The file's text; nullopt when it does not exist or, with a finding, when it cannot be read.
  std::optional<std::string> read(Controller controller, const std::string& path);
  void add(Controller controller, const std::string& path, std::string_view text, Verdict verdict,
           std::string note = {});
  void add_shown(Controller controller, const std::string& path, std::string note);
  void add_quota(const std::string& path, std::string_view text,
                 const Result<std::optional<CpuQuota>>& quota);
  void add_memory(const std::string& path, std::string_view text,
                  const Result<std::optional<Bytes>>& limit, std::string note = {});
  void read_cpu_v1(const std::string& directory);
  void read_memory_v1(const std::vector<std::string>& levels);
  void read_memory_v2(const std::string& directory);
  void mark_binding(Controller controller, const std::string& path);

  const FileReader& files_;
  Resources& to_;
};

std::optional<std::string> Survey::read(Controller controller, const std::string& path) {
  auto text = files_.read(path);
  if (text) {
    return *std::move(text);
  }
  // A group without the controller has no such file, nor has the root of the hierarchy: nothing to
  // say.
  if (text.error().code != ENOENT && text.error().code != ENOTDIR) {
    add(controller, path, {}, Verdict::ignored, "cannot be read: " + to_string(text.error()));
  }
  return std::nullopt;
}

void Survey::add(Controller controller, const std::string& path, std::string_view text,
                 Verdict verdict, std::string note) {
  to_.findings.push_back({controller, path, printable(trim(text), 80), verdict, std::move(note)});
}

void Survey::add_shown(Controller controller, const std::string& path, std::string note) {
  if (const auto text = files_.read(path); text && !trim(*text).empty()) {
    add(controller, path, *text, Verdict::shown, std::move(note));
  }
}

void Survey::read_places() {
  ProcSelf proc;
  if (auto text = files_.read("/proc/self/cgroup"); text) {
    proc.groups = parse_cgroup_file(*text);
    proc.groups_readable = true;
    if (proc.groups.ignored_lines > 0) {
      to_.notes.push_back(fmt::format("{} line(s) of /proc/self/cgroup make no sense, ignored",
                                      proc.groups.ignored_lines));
    }
  } else {
    to_.notes.push_back(to_string(text.error()) + ": the group of this process is not known");
  }
  if (auto text = files_.read("/proc/self/mountinfo"); text) {
    proc.mounts = parse_mountinfo(*text);
    proc.mounts_readable = true;
    if (proc.mounts.ignored_lines > 0) {
      to_.notes.push_back(fmt::format("{} line(s) of /proc/self/mountinfo make no sense, ignored",
                                      proc.mounts.ignored_lines));
    }
  } else {
    to_.notes.push_back(to_string(text.error()) + ": the usual mount points are tried");
  }
  to_.cpu_hierarchy = locate(Controller::cpu, proc, files_);
  to_.cpuset_hierarchy = locate(Controller::cpuset, proc, files_);
  to_.memory_hierarchy = locate(Controller::memory, proc, files_);
  to_.unified_hierarchy = locate_unified(proc, files_);
}

void Survey::add_quota(const std::string& path, std::string_view text,
                       const Result<std::optional<CpuQuota>>& quota) {
  if (!quota) {
    add(Controller::cpu, path, text, Verdict::ignored, quota.error().reason);
    return;
  }
  if (!*quota) {
    add(Controller::cpu, path, text, Verdict::none);
    return;
  }
  const CpuQuota& found = **quota;
  add(Controller::cpu, path, text, Verdict::wider,
      fmt::format("{} / {} us = {} CPUs", found.quota_us, found.period_us,
                  format_cpus(found.cpus())));
  if (!to_.cpu_quota || found.tighter_than(to_.cpu_quota->value)) {
    to_.cpu_quota = {found, path};
  }
}

void Survey::read_cpu_v1(const std::string& directory) {
  const std::string path = directory + "/cpu.cfs_quota_us";
  const auto quota = read(Controller::cpu, path);
  if (!quota) {
    return;
  }
  const auto period = read(Controller::cpu, directory + "/cpu.cfs_period_us");
  const auto parsed =
      parse_cfs(*quota, period ? std::optional<std::string_view>(*period) : std::nullopt);
  add_quota(path, *quota, parsed);
  if (parsed && *parsed && !period) {
    to_.findings.back().note += ", with the default period: cpu.cfs_period_us is missing";
  }
}

void Survey::read_cpu() {
  const Hierarchy& place = to_.cpu_hierarchy;
  for (const auto& directory : place.levels) {
    if (place.version == 1) {
      read_cpu_v1(directory);
    } else if (const auto text = read(Controller::cpu, directory + "/cpu.max")) {
      add_quota(directory + "/cpu.max", *text, parse_cpu_max(*text));
    }
  }
  if (!place.found()) {
    return;
  }
  constexpr auto kShare = "a share under contention, never a limit";
  constexpr auto kBurst = "does not raise the average, never a limit";
  const std::string& own = place.levels.front();
  if (place.version == 1) {
    add_shown(Controller::cpu, own + "/cpu.shares", kShare);
    add_shown(Controller::cpu, own + "/cpu.cfs_burst_us", kBurst);
  } else {
    add_shown(Controller::cpu, own + "/cpu.weight", kShare);
    add_shown(Controller::cpu, own + "/cpu.max.burst", kBurst);
  }
}

void Survey::read_cpuset() {
  const Hierarchy& place = to_.cpuset_hierarchy;
  // What is effective is told first: it respects the levels above, and CPUs that went away.
  const std::array<std::string, 2> names =
      place.version == 1 ? std::array<std::string, 2>{"cpuset.effective_cpus", "cpuset.cpus"}
                         : std::array<std::string, 2>{"cpuset.cpus.effective", "cpuset.cpus"};
  for (const auto& directory : place.levels) {
    for (const auto& name : names) {
      const std::string path = fmt::format("{}/{}", directory, name);
      const auto text = read(Controller::cpuset, path);
      if (!text || trim(*text).empty()) {
        continue;  // v2: an empty cpuset.cpus takes what the level above has
      }
      const auto count = parse_cpu_list(*text);
      if (!count) {
        add(Controller::cpuset, path, *text, Verdict::ignored, count.error().reason);
        continue;
      }
      add(Controller::cpuset, path, *text, Verdict::wider, fmt::format("{} CPUs", *count));
      if (!to_.cpuset || *count < to_.cpuset->value) {
        to_.cpus_narrowed = to_.cpus_narrowed || to_.cpuset.has_value();
        to_.cpuset = {*count, path};
      } else if (*count > to_.cpuset->value) {
        to_.cpus_narrowed = true;
      }
      break;
    }
  }
}

void Survey::add_memory(const std::string& path, std::string_view text,
                        const Result<std::optional<Bytes>>& limit, std::string note) {
  if (!limit) {
    add(Controller::memory, path, text, Verdict::ignored, limit.error().reason);
    return;
  }
  if (!*limit) {
    add(Controller::memory, path, text, Verdict::none, std::move(note));
    return;
  }
  const Bytes found = **limit;
  add(Controller::memory, path, text, Verdict::wider,
      format_size(found) + (note.empty() ? note : ", " + note));
  if (!to_.memory_limit || found < to_.memory_limit->value) {
    to_.memory_limit = {found, path};
  }
}

void Survey::read_memory_v1(const std::vector<std::string>& levels) {
  // Linux before 5.11 lets a level not count what is below it: neither it nor any level above
  // limits this process.
  bool counted = true;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::string& directory = levels[i];
    if (i > 0 && counted) {
      const auto use = files_.read(directory + "/memory.use_hierarchy");
      counted = !use || trim(*use) != "0";
    }
    const std::string path = directory + "/memory.limit_in_bytes";
    if (const auto text = read(Controller::memory, path)) {
      if (counted) {
        add_memory(path, *text, parse_memory_limit(*text));
      } else {
        add(Controller::memory, path, *text, Verdict::ignored,
            "memory.use_hierarchy is 0: this level does not count the group");
      }
    }
  }
  // The kernel's own minimum over all levels up to the real root, those that a namespace hides
  // included.
  const std::string path = levels.front() + "/memory.stat";
  if (const auto text = read(Controller::memory, path)) {
    if (const auto limit = parse_hierarchical_limit(*text)) {
      add_memory(path, fmt::format("hierarchical_memory_limit {}", limit->value),
                 std::optional<Bytes>(limit), "the tightest of all levels, hidden ones included");
    }
  }
}

void Survey::read_memory_v2(const std::string& directory) {
  if (const auto text = read(Controller::memory, directory + "/memory.max")) {
    add_memory(directory + "/memory.max", *text, parse_memory_limit(*text));
  }
  if (const auto text = read(Controller::memory, directory + "/memory.high")) {
    add_memory(directory + "/memory.high", *text, parse_memory_limit(*text),
               "nobody is killed above it, but everything all but stops");
  }
}

void Survey::read_memory() {
  const Hierarchy& place = to_.memory_hierarchy;
  if (place.version == 1) {
    read_memory_v1(place.levels);
    return;
  }
  for (const auto& directory : place.levels) {
    read_memory_v2(directory);
  }
}

void Survey::read_machine(const MachineFacts& machine) {
  if (machine.affinity) {
    to_.affinity = {std::max(1U, *machine.affinity), "sched_getaffinity"};
  } else if (const auto status = files_.read("/proc/self/status"); status) {
    if (const auto count = parse_status_affinity(*status)) {
      to_.affinity = {*count, "/proc/self/status"};
    }
  }
  constexpr auto kOnline = "/sys/devices/system/cpu/online";
  if (const auto text = files_.read(kOnline); text) {
    if (const auto count = parse_cpu_list(*text); count) {
      to_.machine_cpus = {*count, kOnline};
    }
  }
  if (const auto text = files_.read("/proc/meminfo"); text) {
    if (const auto total = parse_mem_total(*text)) {
      to_.machine_memory = {*total, "/proc/meminfo"};
    }
  }
}

void Survey::mark_binding(Controller controller, const std::string& path) {
  const auto found = std::ranges::find_if(to_.findings, [&](const Finding& finding) {
    return finding.controller == controller && finding.path == path &&
           finding.verdict == Verdict::wider;
  });
  if (found != to_.findings.end()) {
    found->verdict = Verdict::binds;
  }
}

void Survey::conclude() {
  if (to_.cpu_quota) {
    mark_binding(Controller::cpu, to_.cpu_quota->source);
  }
  if (to_.cpuset) {
    mark_binding(Controller::cpuset, to_.cpuset->source);
  }
  if (to_.memory_limit) {
    mark_binding(Controller::memory, to_.memory_limit->source);
  }

  std::optional<Sourced<MilliCpu>> least;
  const auto consider = [&least](const auto& figure, MilliCpu cpus) {
    if (!least || cpus < least->value) {
      least = {cpus, figure->source};
    }
  };
  if (to_.cpu_quota) {
    consider(to_.cpu_quota, to_.cpu_quota->value.cpus());
  }
  for (const auto* count : {&to_.cpuset, &to_.affinity, &to_.machine_cpus}) {
    if (*count) {
      consider(*count, MilliCpu{std::uint64_t{(*count)->value} * 1000});
    }
  }
  if (!least) {
    to_.notes.emplace_back("nothing says how many CPUs there are: one is assumed");
    least = {MilliCpu{1000}, "assumed"};
  }
  to_.cpus = *least;

  const auto fewer = [](const auto& one, const auto& other) {
    return one && other && one->value < other->value;
  };
  to_.cpus_narrowed = to_.cpus_narrowed || to_.cpu_quota.has_value() ||
                      fewer(to_.cpuset, to_.machine_cpus) ||
                      fewer(to_.affinity, to_.machine_cpus) || fewer(to_.cpuset, to_.affinity) ||
                      fewer(to_.affinity, to_.cpuset);

  // A cpuset that leaves everything is not the reason for the number.
  if (!to_.cpus_narrowed && to_.affinity && to_.cpus.source != "assumed") {
    to_.cpus.source = to_.affinity->source;
  }

  to_.memory = to_.memory_limit;
  if (to_.machine_memory && (!to_.memory || to_.machine_memory->value < to_.memory->value)) {
    to_.memory = to_.machine_memory;
  }
}

std::string directory_of(std::string_view path) {
  return std::string(path.substr(0, path.rfind('/')));
}

}  // namespace

std::string_view to_string(Finding::Verdict verdict) {
  switch (verdict) {
    case Verdict::binds:
      return "binds";
    case Verdict::wider:
      return "wider";
    case Verdict::none:
      return "no limit";
    case Verdict::shown:
      return "not a limit";
    case Verdict::ignored:
      return "ignored";
  }
  return "?";
}

std::string Resources::cpu_directory() const {
  if (cpu_quota) {
    return directory_of(cpu_quota->source);
  }
  return cpu_hierarchy.found() ? cpu_hierarchy.levels.front() : std::string();
}

std::string Resources::memory_directory() const {
  if (memory_limit) {
    return directory_of(memory_limit->source);
  }
  return memory_hierarchy.found() ? memory_hierarchy.levels.front() : std::string();
}

std::string Resources::pressure_directory(std::string_view resource) const {
  if (resource == "memory" && memory_hierarchy.version == 2) {
    return memory_directory();
  }
  if (resource != "memory" && cpu_hierarchy.version == 2) {
    return cpu_directory();
  }
  return unified_hierarchy.found() && !unified_hierarchy.approximate
             ? unified_hierarchy.levels.front()
             : std::string();
}

std::vector<std::string> Resources::limit_files() const {
  std::vector<std::string> paths;
  for (const Finding& finding : findings) {
    // memory.stat changes all the time, and not by its limit.
    if (finding.verdict == Verdict::shown || finding.path.ends_with("/memory.stat")) {
      continue;
    }
    paths.push_back(finding.path);
    // v1 writes quota and period separately.
    constexpr std::string_view kQuota = "cpu.cfs_quota_us";
    if (finding.path.ends_with(kQuota)) {
      paths.push_back(directory_of(finding.path) + "/cpu.cfs_period_us");
    }
  }
  return paths;
}

Resources read_resources(const FileReader& files, const MachineFacts& machine) {
  Resources resources;
  Survey survey(files, resources);
  survey.read_places();
  survey.read_cpu();
  survey.read_cpuset();
  survey.read_memory();
  survey.read_machine(machine);
  survey.conclude();
  return resources;
}

}  // namespace ni
