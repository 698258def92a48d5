#include "core/container/mountinfo.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"

namespace ni {
namespace {

constexpr std::size_t kMostMounts = 100'000;  // fs.mount-max's default
constexpr unsigned kDeepestMount =
    64;  // bounds the walk to the root in a file that goes in circles
constexpr std::size_t kFirstOptional = 6;  // field of the first optional field, or of the separator
constexpr std::string_view kDeleted = "//deleted";

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

std::optional<Mount> parse_fields(const std::vector<std::string_view>& fields) {
  if (fields.size() < kFirstOptional + 3) {
    return std::nullopt;
  }
  const auto id = parse_number<unsigned>(fields[0]);
  const auto parent = parse_number<unsigned>(fields[1]);
  const auto separator =
      std::find(fields.begin() + static_cast<std::ptrdiff_t>(kFirstOptional), fields.end(), "-");
  if (!id || !parent || fields.end() - separator < 3 || !fields[3].starts_with('/') ||
      !fields[4].starts_with('/')) {
    return std::nullopt;
  }
  Mount mount{.id = *id,
              .parent = *parent,
              .root = unescape_octal(fields[3]),
              .mount_point = unescape_octal(fields[4]),
              .type = std::string(separator[1]),
              .super_options = {}};
  // The kernel marks the root of a mount whose folder was removed.
  if (mount.root.ends_with(kDeleted)) {
    mount.root.resize(mount.root.size() - kDeleted.size());
  }
  // Super options may hold unescaped blanks (9p on WSL2): everything after the source belongs to
  // them.
  for (auto field = separator + 3; field < fields.end(); ++field) {
    for (const auto option : split(*field, ',')) {
      mount.super_options.emplace_back(option);
    }
  }
  return mount;
}

bool lies_below(std::string_view path, std::string_view folder) {
  return folder == "/" ||
         (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

}  // namespace

bool Mount::has_option(std::string_view option) const {
  return std::ranges::find(super_options, option) != super_options.end();
}

bool MountTable::is_covered(const Mount& mount) const {
  // What is mounted on top of a mount is its child, at its own mount point.
  const bool on_top = std::ranges::any_of(mounts, [&mount](const Mount& other) {
    return other.parent == mount.id && other.id != mount.id &&
           other.mount_point == mount.mount_point;
  });
  if (on_top) {
    return true;
  }
  const Mount* seen = &mount;
  for (unsigned depth = 0; depth < kDeepestMount; ++depth) {
    // What is mounted later over a folder that leads to it is its sibling; had it been there
    // before, it would be its parent. The same holds for every mount on the way up.
    const bool on_the_way = std::ranges::any_of(mounts, [seen](const Mount& other) {
      return other.parent == seen->parent && other.id != seen->id && other.id != seen->parent &&
             other.mount_point != seen->mount_point &&
             lies_below(seen->mount_point, other.mount_point);
    });
    if (on_the_way) {
      return true;
    }
    const auto parent = std::ranges::find(mounts, seen->parent, &Mount::id);
    if (parent == mounts.end() || parent->id == seen->id) {
      return false;
    }
    seen = &*parent;
  }
  return false;
}

MountTable parse_mountinfo(std::string_view text) {
  MountTable table;
  for (const auto piece : split(text, '\n')) {
    const auto line = piece.ends_with('\r') ? piece.substr(0, piece.size() - 1) : piece;
    if (trim(line).empty()) {
      continue;
    }
    // The kernel puts exactly one blank between fields, and a field may be empty (the source).
    // Copies made by hand are less strict.
    auto mount = parse_fields(split(line, ' '));
    if (!mount) {
      mount = parse_fields(split_words(line));
    }
    if (mount && table.mounts.size() < kMostMounts) {
      table.mounts.push_back(*std::move(mount));
    } else {
      ++table.ignored_lines;
    }
  }
  return table;
}

std::string unescape_octal(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      result.push_back(static_cast<char>(code & 0xFF));
      i += 3;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

}  // namespace ni
