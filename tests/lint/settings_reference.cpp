// The reference of the settings, made from the one table:
//
//   settings_reference --check docker/docs/settings.md docker/nodeinit.8    are they what the table says?
//   settings_reference --write docker/docs/settings.md docker/nodeinit.8    make them so
//
// The text between the two markers is ours, in both; what is around them is written by hand.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "core/settings/settings.h"

using namespace ni;

namespace {

struct Markers {
  std::string_view begin;
  std::string_view end;
};
constexpr Markers kInMarkdown = {"<!-- settings:begin -->\n", "<!-- settings:end -->\n"};
constexpr Markers kInRoff = {".\\\" settings:begin\n", ".\\\" settings:end\n"};

std::string replaced(std::string_view text, char what, std::string_view by) {
  std::string result;
  for (const char c : text) {
    c == what ? void(result += by) : void(result += c);
  }
  return result;
}

std::string markdown() {
  std::string text =
      "| variable | default | meaning | allowed |\n"
      "|---|---|---|---|\n";
  for (const Setting& setting : settings()) {
    const bool everywhere = setting.scope != Setting::Scope::program_only;
    const std::string name = everywhere
                                 ? "`" + variable_name(setting) + "`"
                                 : "`" + std::string(setting.key) + "` (only in `[[program]]`)";
    text += "| " + name + " | `" + std::string(setting.fallback) + "` | " +
            replaced(setting.help, '|', "\\|") + " | " + replaced(setting.allowed, '|', "\\|") +
            " |\n";
  }
  return text;
}

// roff: a \ is escaped, and so is a - that is to be copied as one.
std::string roff(std::string_view text) {
  return replaced(replaced(text, '\\', "\\e"), '-', "\\-");
}

std::string manual() {
  std::string text;
  for (const Setting& setting : settings()) {
    const bool everywhere = setting.scope != Setting::Scope::program_only;
    text += ".TP\n.BI " +
            roff(everywhere ? option_name(setting) : "[[program]]\\ " + std::string(setting.key)) +
            " \" " + roff(setting.value) + "\"\n" + roff(setting.help) +
            ".\nAllowed: " + roff(setting.allowed) + ".\nDefault: " + roff(setting.fallback) +
            ".\n";
  }
  return text;
}

std::string contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The page with the reference in its place; empty when the markers are missing.
std::string with_reference(const std::string& page, Markers markers, const std::string& reference) {
  const auto begin = page.find(markers.begin);
  const auto end = page.find(markers.end);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return {};
  }
  return page.substr(0, begin + markers.begin.size()) + reference + page.substr(end);
}

int settle(bool write, const char* path, Markers markers, const std::string& reference) {
  const std::string now = contents(path);
  const std::string wanted = with_reference(now, markers, reference);
  if (wanted.empty()) {
    std::fprintf(stderr, "%s: the markers of the settings' reference are missing\n", path);
    return 1;
  }
  if (now == wanted) {
    return 0;
  }
  if (write) {
    std::ofstream(path, std::ios::binary) << wanted;
    return 0;
  }
  std::fprintf(stderr, "%s differs from the table of settings; cure: settings_reference --write\n",
               path);
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fputs("usage: settings_reference --check|--write settings.md nodeinit.8\n", stderr);
    return 2;
  }
  const bool write = std::string_view(arguments[1]) == "--write";
  const int page = settle(write, arguments[2], kInMarkdown, markdown());
  return page + settle(write, arguments[3], kInRoff, manual());
}
