#include "core/deaths/last_words.h"

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

}  // namespace ni
