#include "core/container/hierarchy.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/printable_path.h"

namespace ni {
namespace {

constexpr std::size_t kMostCandidates = 64;
// v2 allows any depth (cgroup.max.depth), paths end at PATH_MAX. The leaf's nearest groups are the
// ones that matter.
constexpr std::size_t kMostLevels = 64;

// A place where the tree may be seen.
struct Candidate {
  std::string root;
  std::string mount_point;
  bool covered = false;
};

using Components = std::vector<std::string>;

std::string join(std::string_view directory, const Components& names, std::size_t count) {
  std::string path(directory);
  for (std::size_t i = 0; i < count; ++i) {
    if (!path.ends_with('/')) {
      path += '/';
    }
    path += names[i];
  }
  return path;
}

// What remains of `path` below `root`; nullopt: it is not below it, or leaves it again by "..".
std::optional<Components> below(const Components& path, const Components& root) {
  if (root.size() > path.size() || !std::equal(root.begin(), root.end(), path.begin())) {
    return std::nullopt;
  }
  Components rest(path.begin() + static_cast<std::ptrdiff_t>(root.size()), path.end());
  // "/sys/fs/cgroup" + "/.." exists as a directory, but it is no group.
  if (std::ranges::find(rest, "..") != rest.end()) {
    return std::nullopt;
  }
  return rest;
}

std::vector<std::string> levels_below(const std::string& mount_point, const Components& rest) {
  std::vector<std::string> levels;
  const std::size_t kept = std::min(rest.size(), kMostLevels);
  for (std::size_t i = 0; i < kept; ++i) {
    levels.push_back(join(mount_point, rest, rest.size() - i));
  }
  levels.push_back(mount_point);
  return levels;
}

// The candidates from best to worst: visible before covered, longer root first, the usual place
// first.
void sort_by_fit(std::vector<Candidate>& candidates) {
  const auto rank = [](const Candidate& candidate) {
    return std::tuple(candidate.covered, -static_cast<long>(path_components(candidate.root).size()),
                      !candidate.mount_point.starts_with("/sys/fs/cgroup"));
  };
  std::ranges::stable_sort(candidates, {}, rank);
}

std::vector<Candidate> mounted_with(const MountTable& table, std::string_view type,
                                    const std::function<bool(const Mount&)>& fits) {
  std::vector<Candidate> candidates;
  for (const Mount& mount : table.mounts) {
    if (mount.type == type && candidates.size() < kMostCandidates && fits(mount)) {
      candidates.push_back({mount.root, mount.mount_point, table.is_covered(mount)});
    }
  }
  sort_by_fit(candidates);
  return candidates;
}

std::vector<Candidate> mounted_v2(const MountTable& table) {
  return mounted_with(table, "cgroup2", [](const Mount&) { return true; });
}

std::vector<Candidate> mounted_v1(const MountTable& table, std::string_view controller) {
  auto candidates = mounted_with(
      table, "cgroup", [controller](const Mount& mount) { return mount.has_option(controller); });
  if (candidates.empty()) {
    // Emulated kernels leave the controllers out of the options; the folder is named after them.
    candidates = mounted_with(table, "cgroup", [controller](const Mount& mount) {
      const std::string_view point = mount.mount_point;
      const auto names = split(point.substr(point.rfind('/') + 1), ',');
      return std::ranges::find(names, controller) != names.end();
    });
  }
  return candidates;
}

// Where container engines and distributions put the tree, for when mountinfo does not tell.
std::vector<Candidate> usual_v1(Controller controller, const FileReader& files) {
  std::vector<std::string> names = {std::string(to_string(controller))};
  if (controller == Controller::cpu) {
    names = {"cpu,cpuacct", "cpu", "cpuacct,cpu"};
  }
  std::vector<Candidate> candidates;
  for (const auto& name : names) {
    const std::string place = "/sys/fs/cgroup/" + name;
    if (files.is_directory(place)) {
      candidates.push_back({"/", place});
    }
  }
  return candidates;
}

std::vector<Candidate> usual_v2(Controller controller, const FileReader& files) {
  const auto probes = [controller]() -> std::vector<std::string_view> {
    switch (controller) {
      case Controller::cpu:
        return {"cgroup.controllers", "cpu.max"};
      case Controller::cpuset:
        return {"cgroup.controllers", "cpuset.cpus.effective"};
      case Controller::memory:
        return {"cgroup.controllers", "memory.max"};
    }
    return {};
  }();
  std::vector<Candidate> candidates;
  for (const std::string place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    const bool is_tree = std::ranges::any_of(probes, [&](std::string_view name) {
      return static_cast<bool>(files.read(place + "/" + std::string(name)));
    });
    if (is_tree) {
      candidates.push_back({"/", place});
    }
  }
  return candidates;
}

Hierarchy at(const Candidate& candidate, const Components& rest, bool approximate,
             std::string how) {
  return Hierarchy{.version = 0,
                   .path = {},
                   .mount_point = candidate.mount_point,
                   .levels = levels_below(candidate.mount_point, rest),
                   .approximate = approximate,
                   .how = std::move(how)};
}

// The best mount may begin below the top (a bind mount of the own group): what another one shows of
// the groups above its root counts as well.
void add_levels_above(Hierarchy& place, const Components& root, const Components& group,
                      const std::vector<Candidate>& candidates, const FileReader& files) {
  const Candidate* highest = nullptr;
  std::size_t visible_from = root.size();
  for (const Candidate& candidate : candidates) {
    const Components its_root = path_components(candidate.root);
    const auto rest = below(group, its_root);
    if (rest && its_root.size() < visible_from && !candidate.covered &&
        files.is_directory(join(candidate.mount_point, *rest, rest->size()))) {
      highest = &candidate;
      visible_from = its_root.size();
    }
  }
  if (highest == nullptr) {
    return;
  }
  const Components between(group.begin() + static_cast<std::ptrdiff_t>(visible_from),
                           group.begin() + static_cast<std::ptrdiff_t>(root.size()));
  for (std::size_t count = between.size(); count-- > 0 && place.levels.size() <= kMostLevels;) {
    place.levels.push_back(join(highest->mount_point, between, count));
  }
  place.how += fmt::format(", the groups above it below {}", printable_path(highest->mount_point));
}

// `candidates` is not empty and sorted by fit.
Hierarchy resolve(const std::vector<Candidate>& candidates, const std::string& path,
                  const FileReader& files) {
  const Components group = path_components(path);
  const Candidate* prefix = nullptr;
  for (const Candidate& candidate : candidates) {
    const Components root = path_components(candidate.root);
    const auto rest = below(group, root);
    if (rest && files.is_directory(join(candidate.mount_point, *rest, rest->size()))) {
      Hierarchy place =
          at(candidate, *rest, false,
             fmt::format("group {} in the tree mounted at {}{}", printable_path(path),
                         printable_path(candidate.mount_point),
                         candidate.root == "/" ? std::string()
                                               : " (root " + printable_path(candidate.root) + ")"));
      add_levels_above(place, root, group, candidates, files);
      return place;
    }
    if (rest && prefix == nullptr) {
      prefix = &candidate;
    }
  }
  if (prefix != nullptr) {
    return at(*prefix, *below(group, path_components(prefix->root)), true,
              fmt::format("group {} is not visible below {}: what is visible above it is used",
                          printable_path(path), printable_path(prefix->mount_point)));
  }
  for (const Candidate& candidate : candidates) {
    if (const auto rest = below(group, {});
        rest && !rest->empty() &&
        files.is_directory(join(candidate.mount_point, *rest, rest->size()))) {
      return at(candidate, *rest, true,
                fmt::format("group {} is outside the mounted root {}, but exists below {}",
                            printable_path(path), printable_path(candidate.root),
                            printable_path(candidate.mount_point)));
    }
  }
  const auto existing = std::ranges::find_if(candidates, [&files](const Candidate& candidate) {
    return files.is_directory(candidate.mount_point);
  });
  const Candidate& first = existing == candidates.end() ? candidates.front() : *existing;
  return at(first, {}, true,
            fmt::format("group {} is outside the mounted root {}: the mount {} itself is used",
                        printable_path(path), printable_path(first.root),
                        printable_path(first.mount_point)));
}

// The group is not known: the mount itself stands for it.
Hierarchy without_group(const std::vector<Candidate>& candidates, std::string_view why) {
  const Candidate& first = candidates.front();
  return at(first, {}, true,
            fmt::format("{}: {} itself is used", why, printable_path(first.mount_point)));
}

}  // namespace

std::string_view to_string(Controller controller) {
  switch (controller) {
    case Controller::cpu:
      return "cpu";
    case Controller::cpuset:
      return "cpuset";
    case Controller::memory:
      return "memory";
  }
  return "?";
}

Hierarchy locate(Controller controller, const ProcSelf& proc, const FileReader& files) {
  const auto name = to_string(controller);
  const CgroupEntry* const v1 = proc.groups.v1(name);
  const CgroupEntry* const v2 = proc.groups.unified();
  const auto found = [](unsigned version, const CgroupEntry* entry, Hierarchy hierarchy) {
    hierarchy.version = version;
    hierarchy.path = entry == nullptr ? std::string() : entry->path;
    return hierarchy;
  };
  const auto v1_mounts = mounted_v1(proc.mounts, name);
  const auto v2_mounts = mounted_v2(proc.mounts);

  // A controller is in one hierarchy only, and a v1 line that names it says in which (cgroups(7)).
  if (v1 != nullptr && !v1_mounts.empty()) {
    return found(1, v1, resolve(v1_mounts, v1->path, files));
  }
  if (v1 == nullptr && v2 != nullptr && !v2_mounts.empty()) {
    return found(2, v2, resolve(v2_mounts, v2->path, files));
  }

  // From here on something is missing.
  const std::string_view unknown = proc.groups_readable
                                       ? "/proc/self/cgroup does not tell the group"
                                       : "/proc/self/cgroup cannot be read";
  if (v2 == nullptr && v1 == nullptr && !v1_mounts.empty()) {
    return found(1, nullptr, without_group(v1_mounts, unknown));
  }
  if (!v2_mounts.empty()) {
    return v2 != nullptr ? found(2, v2, resolve(v2_mounts, v2->path, files))
                         : found(2, nullptr, without_group(v2_mounts, unknown));
  }
  if (!v1_mounts.empty()) {
    return found(1, nullptr, without_group(v1_mounts, unknown));
  }
  if (const auto usual = usual_v1(controller, files); !usual.empty()) {
    return v1 != nullptr ? found(1, v1, resolve(usual, v1->path, files))
                         : found(1, nullptr, without_group(usual, unknown));
  }
  if (const auto usual = usual_v2(controller, files); !usual.empty()) {
    return v2 != nullptr ? found(2, v2, resolve(usual, v2->path, files))
                         : found(2, nullptr, without_group(usual, unknown));
  }
  Hierarchy none;
  none.how = fmt::format("no cgroup tree with the {} controller is mounted", name);
  return none;
}

Hierarchy locate_unified(const ProcSelf& proc, const FileReader& files) {
  const CgroupEntry* const entry = proc.groups.unified();
  const auto mounts = mounted_v2(proc.mounts);
  if (entry == nullptr || mounts.empty()) {
    return {};
  }
  Hierarchy hierarchy = resolve(mounts, entry->path, files);
  hierarchy.version = 2;
  hierarchy.path = entry->path;
  return hierarchy;
}

}  // namespace ni
