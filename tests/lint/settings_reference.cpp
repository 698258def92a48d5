// The reference of the settings, made from the one table:
//
//   settings_reference --check docker/docs/settings.md docker/nodeinit.8    are they what the table says?
//   settings_reference --write docker/docs/settings.md docker/nodeinit.8    make them so
//
// In settings.md the text between the two markers is ours; the manual page is ours altogether.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "core/settings/settings.h"

using namespace ni;

namespace {

constexpr std::string_view kBegin = "<!-- settings:begin -->\n";
constexpr std::string_view kEnd = "<!-- settings:end -->\n";

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

std::string manual_page() {
  std::string text =
      ".TH NODEINIT 8\n"
      ".SH NAME\nnodeinit \\- PID 1 for Node.js containers\n"
      ".SH SYNOPSIS\n.B nodeinit\n[options] [\\-\\-] command [arg...]\n.br\n"
      ".B nodeinit ctl\nverb [args]\n"
      ".SH SETTINGS\n"
      "Each is an option, a variable (\\-\\-ready\\-timeout is NODEINIT_READY_TIMEOUT) and a key "
      "of "
      "the TOML file\n(ready_timeout). An option is stronger than a variable, a variable than the "
      "file.\n";
  for (const Setting& setting : settings()) {
    const bool everywhere = setting.scope != Setting::Scope::program_only;
    text += ".TP\n.BI " +
            roff(everywhere ? option_name(setting) : "[[program]]\\ " + std::string(setting.key)) +
            " \" " + roff(setting.value) + "\"\n" + roff(setting.help) +
            ".\nAllowed: " + roff(setting.allowed) + ".\nDefault: " + roff(setting.fallback) +
            ".\n";
  }
  text +=
      ".SH EXIT STATUS\n"
      "0: stopped in order, or a program that runs once ended with 0.\n"
      "137: stopped, but a worker had to be killed.\n"
      "126, 127: the command is not executable, or not found.\n"
      "64: wrong usage. 78: wrong configuration.\n"
      "Any other: a worker's own code, or 128 and its signal.\n"
      ".SH FILES\n.TP\n.I /etc/nodeinit.toml\nread when it is there; \\-\\-config and "
      "NODEINIT_CONFIG name another.\n";
  return text;
}

std::string contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The page with the reference in its place; empty when the markers are missing.
std::string with_reference(const std::string& page) {
  const auto begin = page.find(kBegin);
  const auto end = page.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return {};
  }
  return page.substr(0, begin + kBegin.size()) + markdown() + page.substr(end);
}

int settle(bool write, const char* path, const std::string& wanted) {
  if (wanted.empty()) {
    std::fprintf(stderr, "%s: the markers of the settings' reference are missing\n", path);
    return 1;
  }
  if (contents(path) == wanted) {
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
  const int page = settle(write, arguments[2], with_reference(contents(arguments[2])));
  return page + settle(write, arguments[3], manual_page());
}
