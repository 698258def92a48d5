// What a project says of how it is started: "word\nword…\0path\0content\0path\0content…", files below
// /app. A command that is found has a program and runs in a folder of the project; what is not found has
// its reason, in one printable line.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "core/command/package_script.h"
#include "core/command/program_file.h"
#include "core/command/shell_words.h"
#include "core/command/workspaces.h"
#include "fuzz/require.h"
#include "support/map_files.h"

using namespace ni;

namespace {

// Folders, too, for workspaces.
class Project final : public FileReader {
 public:
  void put(std::string path, std::string text) {
    paths_.push_back(path);
    files_.put(std::move(path), std::move(text));
  }
  Result<std::string> read(std::string_view path) const override { return files_.read(path); }
  bool is_directory(std::string_view path) const override { return files_.is_directory(path); }
  std::vector<std::string> folders_in(std::string_view path) const override {
    std::vector<std::string> found;
    const std::string prefix = std::string(path) + "/";
    for (const std::string& each : paths_) {
      if (!each.starts_with(prefix)) continue;
      const auto end = each.find('/', prefix.size());
      if (end != std::string::npos && end > prefix.size()) {
        found.push_back(each.substr(prefix.size(), end - prefix.size()));
      }
    }
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

 private:
  test::MapFiles files_;
  std::vector<std::string> paths_;
};

void check_script(const ScriptCall& call, const FileReader& files) {
  FUZZ_REQUIRE(!call.script.empty());
  const ScriptFound found = find_script(call, "/app", files);
  if (!found.command) {
    FUZZ_REQUIRE(!found.why_not.empty());
    return;
  }
  FUZZ_REQUIRE(!found.command->words.empty());
  FUZZ_REQUIRE(found.directory.starts_with('/'));
  FUZZ_REQUIRE(!found.path.empty() && found.path.back() == "/node_modules/.bin");
  FUZZ_REQUIRE(found.command->words.size() > call.arguments.size());
  FUZZ_REQUIRE(
      std::equal(call.arguments.rbegin(), call.arguments.rend(), found.command->words.rbegin()));
}

void check_texts(std::string_view text) {
  if (const auto plain = parse_plain_command(text)) {
    FUZZ_REQUIRE(!plain->words.empty());
    for (const auto& [name, value] : plain->environment) {
      FUZZ_REQUIRE(!name.empty() && name.find('=') == std::string::npos);
    }
    // In single quotes it means the same to a shell, and to us.
    std::string again = "''";  // keeps the first word from being an assignment or exec
    again.clear();
    for (const std::string& word : plain->words) {
      again += again.empty() ? "" : " ";
      for (const char c : word)
        again += c == '\'' ? std::string("\"'\"") : "'" + std::string(1, c) + "'";
      if (word.empty()) again += "''";
    }
    const auto twice = parse_plain_command(again);
    FUZZ_REQUIRE(twice && (plain->words.front() == "exec" || twice->words == plain->words));
  }
  if (const auto file = interpreted("/app/x", text)) {
    FUZZ_REQUIRE(text.starts_with("#!") && !file->words.empty());
    FUZZ_REQUIRE(!interpreter_of(text).empty());
  }
  (void)names_node(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data),
                              std::min<std::size_t>(size, 16'384));
  const auto pieces = split(text, '\0');
  Project files;
  for (std::size_t i = 1; i + 1 < pieces.size(); i += 2) {
    files.put("/app/" + std::string(pieces[i]), std::string(pieces[i + 1]));
  }
  std::vector<std::string> argv;
  for (const std::string_view word : split(pieces[0], '\n')) argv.emplace_back(word);
  if (is_package_manager(argv.front())) {
    if (const auto call = parse_script_call(argv)) check_script(*call, files);
  }
  if (const auto folder = find_workspace(argv.back(), "/app", files)) {
    FUZZ_REQUIRE(folder->starts_with('/'));
  }
  for (const std::string_view piece : pieces) check_texts(piece);
  return 0;
}
