#include "core/deaths/last_words.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace ni {
namespace {

// A stack trace of Node begins "TypeError: …", "Error [CODE]: …", "Uncaught Error: …" or
// "DOMException [AbortError]: …" at the start of a line; V8 says "FATAL ERROR: …" or "# Fatal error
// in …".
bool names_error(std::string_view line) {
  if (line.starts_with("FATAL ERROR") || line.starts_with("# Fatal error")) return true;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with(' ')) return false;
  std::string_view name = line.substr(0, colon);
  if (name.ends_with(']')) name = name.substr(0, name.find(" ["));
  return name.ends_with("Error") || name.ends_with("Exception");
}

}  // namespace

std::string telling_line(std::string_view words) {
  std::string_view error;
  std::string_view last;
  for (const std::string_view line : split(words, '\n')) {
    if (trim(line).empty()) continue;
    last = line;
    if (names_error(line)) error = line;
  }
  return printable(trim(error.empty() ? last : error));
}

std::string_view advice_on(std::string_view telling_line) {
  struct Known {
    std::string_view error;
    std::string_view advice;
  };
  // The first that fits. Node's texts of lib/internal/modules and uvException, versions 14 to 26.
  constexpr std::array kKnown = {
      Known{"Cannot find module '/",
            " (is the file in the image, and the working directory right?)"},
      Known{"Cannot find module '.",
            " (is the file in the image, and the working directory right?)"},
      Known{"Cannot find module '", " (is it in package.json, and was npm ci run in the image?)"},
      Known{"Cannot find package '", " (is it in package.json, and was npm ci run in the image?)"},
      Known{"Cannot use import statement outside a module",
            " (package.json wants \"type\": \"module\", or the file a name in .mjs)"},
      Known{"EROFS: ", " (the file system is read-only there: mount a volume or a tmpfs)"},
      Known{"EACCES: permission denied, ",
            " (the user that runs it may not: chown in the image, or a volume of its own)"},
      Known{"ENOSPC: ", " (the disk, or the limit of a volume or tmpfs, is full)"},
  };
  const auto* const known = std::ranges::find_if(kKnown, [&](const Known& each) {
    return telling_line.find(each.error) != std::string_view::npos;
  });
  return known == kKnown.end() ? std::string_view() : known->advice;
}

}  // namespace ni
