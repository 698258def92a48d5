#include "sys/children.h"

#include "base/text.h"
#include "sys/proc_text.h"
#include "sys/read_file.h"
#include "sys/reap.h"

namespace ni::sys {
namespace {

std::string folder_of(Pid pid) {
  return "/proc/" + std::to_string(pid.value());
}

std::optional<Child> look_at(Pid pid) {
  const auto text = read_file(folder_of(pid) + "/stat");
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  if (!stat) {
    return std::nullopt;
  }
  return Child{.pid = pid,
               .name = printable(stat->name),
               .group = static_cast<int>(stat->field(5)),
               .born = stat->field(22),
               .of_variable = {}};
}

std::string value_of(Pid pid, std::string_view variable) {
  const auto environment = read_file(folder_of(pid) + "/environ");
  for (const std::string_view entry :
       split(environment ? std::string_view(*environment) : "", '\0')) {
    if (entry.size() > variable.size() && entry.starts_with(variable) &&
        entry[variable.size()] == '=') {
      return std::string(entry.substr(variable.size() + 1));
    }
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> born(Pid pid) {
  const auto found = look_at(pid);
  return found ? std::optional(found->born) : std::nullopt;
}

std::vector<Child> own_children(const std::function<bool(Pid)>& is_known,
                                std::string_view variable) {
  std::vector<Child> found;
  std::size_t looked = 0;
  const auto list = read_file("/proc/thread-self/children");
  for (const std::string_view word : split_words(list ? std::string_view(*list) : "")) {
    const auto number = parse_number<int>(word);
    const auto pid = Pid::from(number.value_or(0));
    if (!pid || is_known(*pid) || ++looked > kMostChildren) {
      continue;
    }
    auto child = look_at(*pid);
    if (!child || is_ending(*pid)) {
      continue;
    }
    child->of_variable = value_of(*pid, variable);
    found.push_back(std::move(*child));
  }
  return found;
}

}  // namespace ni::sys
