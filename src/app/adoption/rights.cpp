#include "app/adoption/rights.h"

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"
#include "sys/read_file.h"

namespace ni::app {
namespace {

// The value behind "Name:", without blanks; empty: there is none.
std::string_view field(std::string_view status, std::string_view name) {
  for (const std::string_view line : split(status, '\n')) {
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) {
      return trim(line.substr(name.size() + 1));
    }
  }
  return {};
}

std::vector<std::uint32_t> numbers(std::string_view text) {
  std::vector<std::uint32_t> found;
  for (const std::string_view word : split_words(text)) {
    if (const auto number = parse_number<std::uint32_t>(word)) found.push_back(*number);
  }
  return found;
}

// Real, effective, saved, file system: where they are not one, it is a process on its way.
std::optional<std::uint32_t> the_one(std::string_view ids) {
  const std::vector<std::uint32_t> all = numbers(ids);
  const bool one = all.size() == 4 && std::ranges::count(all, all.front()) == 4;
  return one ? std::optional(all.front()) : std::nullopt;
}

std::string limits_that_differ(Pid pid, const sys::DescriptorLimit& of_workers) {
  constexpr auto kLimits =
      std::to_array<std::pair<decltype(RLIMIT_AS), std::string_view>>({{RLIMIT_AS, "as"},
                                                                       {RLIMIT_CORE, "core"},
                                                                       {RLIMIT_CPU, "cpu"},
                                                                       {RLIMIT_DATA, "data"},
                                                                       {RLIMIT_FSIZE, "fsize"},
                                                                       {RLIMIT_MEMLOCK, "memlock"},
                                                                       {RLIMIT_NOFILE, "nofile"},
                                                                       {RLIMIT_NPROC, "nproc"},
                                                                       {RLIMIT_STACK, "stack"}});
  std::string found;
  for (const auto& [resource, name] : kLimits) {
    ::rlimit theirs{};
    ::rlimit ours{};
    if (::prlimit(pid.value(), resource, nullptr, &theirs) != 0 ||
        ::prlimit(0, resource, nullptr, &ours) != 0) {
      continue;  // EPERM: another user's, and we may not look (CAP_SYS_RESOURCE)
    }
    const rlim_t soft = resource == RLIMIT_NOFILE ? of_workers.soft : ours.rlim_cur;
    if (theirs.rlim_cur != soft) found += fmt::format(" ulimit {}", name);
  }
  return found;
}

}  // namespace

Rights compare_status(std::string_view theirs, std::string_view ours) {
  Rights rights;
  for (const std::string_view name : {"NoNewPrivs", "CapBnd", "Seccomp", "Umask"}) {
    if (field(theirs, name) != field(ours, name)) rights.differs += fmt::format(" {}", name);
  }
  const auto uid = the_one(field(theirs, "Uid"));
  const auto gid = the_one(field(theirs, "Gid"));
  if (!uid || !gid) {
    rights.differs += " Uid";
    return rights;
  }
  const UserIds user{.uid = *uid, .gid = *gid, .groups = numbers(field(theirs, "Groups"))};
  const bool is_ours = the_one(field(ours, "Uid")) == uid && the_one(field(ours, "Gid")) == gid &&
                       numbers(field(ours, "Groups")) == user.groups;
  if (!is_ours) {
    rights.user = user;
  } else if (field(theirs, "CapEff") != field(ours, "CapEff")) {
    rights.differs += " CapEff";
  }
  // Ambient capabilities outlive a change of user, and are not given by ours.
  if (field(theirs, "CapAmb") != field(ours, "CapAmb")) rights.differs += " CapAmb";
  if (!is_ours && !field(ours, "Uid").starts_with("0")) rights.differs += " Uid";
  return rights;
}

Rights rights_of(Pid pid, const sys::DescriptorLimit& of_workers) {
  const auto theirs = sys::read_file(fmt::format("/proc/{}/status", pid.value()));
  const auto ours = sys::read_file("/proc/self/status");
  if (!theirs || !ours) return {.differs = " status", .user = {}};
  Rights rights = compare_status(*theirs, *ours);
  errno = 0;
  const int nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(pid.value()));
  if (errno == 0 && nice != ::getpriority(PRIO_PROCESS, 0)) rights.differs += " nice";
  rights.differs += limits_that_differ(pid, of_workers);
  return rights;
}

}  // namespace ni::app
