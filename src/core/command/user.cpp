#include "core/command/user.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace ni {
namespace {

constexpr std::string_view kPasswd = "/etc/passwd";
constexpr std::string_view kGroup = "/etc/group";

// One line of either file, cut at the colons: name:password:number:…
using Fields = std::vector<std::string_view>;

std::optional<std::uint32_t> number_of(const Fields& fields) {
  return fields.size() >= 3 ? parse_number<std::uint32_t>(fields[2]) : std::nullopt;
}

// The first line whose name, or whose number, is `wanted`: passwd(5), group(5).
std::optional<Fields> find(std::string_view file, std::string_view wanted) {
  const auto number = parse_number<std::uint32_t>(wanted);
  for (const std::string_view line : split(file, '\n')) {
    Fields fields = split(line, ':');
    if (number_of(fields) && (number ? number_of(fields) == number : fields[0] == wanted)) {
      return fields;
    }
  }
  return std::nullopt;
}

Error unknown(const char* what, std::string_view name, std::string_view file) {
  return Error{.operation = "find",
               .subject = std::string(what) + " " + printable(name),
               .code = 0,
               .reason = "not in " + std::string(file)};
}

// The name's gid, or the number itself.
Result<std::uint32_t> resolve_group(std::string_view group, const FileReader& files) {
  if (const auto number = parse_number<std::uint32_t>(group)) {
    return *number;
  }
  NI_TRY(const std::string text, files.read(kGroup));
  const auto fields = find(text, group);
  if (!fields) {
    return unknown("group", group, kGroup);
  }
  return *number_of(*fields);
}

// group(5): name:password:gid:member,member
std::vector<std::uint32_t> groups_of(std::string_view user, std::string_view file) {
  std::vector<std::uint32_t> groups;
  for (const std::string_view line : split(file, '\n')) {
    const Fields fields = split(line, ':');
    if (!number_of(fields) || fields.size() < 4) {
      continue;
    }
    const auto members = split(fields[3], ',');
    if (std::ranges::find(members, user) != members.end()) {
      groups.push_back(*number_of(fields));
    }
  }
  return groups;
}

}  // namespace

Result<UserIds> resolve_user(std::string_view user, const FileReader& files) {
  const auto colon = user.find(':');
  const std::string_view name = user.substr(0, colon);
  const auto number = parse_number<std::uint32_t>(name);
  const auto passwd = files.read(kPasswd);
  if (!passwd && !number) {
    return passwd.error();
  }
  const auto fields = passwd ? find(*passwd, name) : std::nullopt;
  if (!fields && !number) {
    return unknown("user", name, kPasswd);
  }
  UserIds ids{.uid = fields ? *number_of(*fields) : *number, .gid = 0, .groups = {}};
  if (colon != std::string_view::npos) {
    NI_TRY(ids.gid, resolve_group(user.substr(colon + 1), files));
    return ids;
  }
  if (fields && fields->size() >= 4) {
    ids.gid = parse_number<std::uint32_t>((*fields)[3]).value_or(0);
    if (const auto groups = files.read(kGroup)) {
      ids.groups = groups_of((*fields)[0], *groups);
    }
  }
  return ids;
}

}  // namespace ni
