#include "core/command/workspaces.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "wire/json.h"
#include "wire/yaml.h"

namespace ni {
namespace {

constexpr std::size_t kMostFolders = 1000;  // looked at below one root

std::string parent(std::string_view directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/"
                                                       : std::string(directory.substr(0, slash));
}

wire::Json package_in(const std::string& folder, const FileReader& files) {
  const Result<std::string> text = files.read(folder + "/package.json");
  if (!text) {
    return {};
  }
  Result<wire::Json> json = wire::Json::parse(*text, {.depth = 64});
  return json ? *std::move(json) : wire::Json();
}

std::vector<std::string> patterns_of(const std::string& folder, const FileReader& files) {
  wire::Json list = package_in(folder, files).at("workspaces");
  if (list.is_object()) {
    list = list.at("packages");
  }
  if (const Result<std::string> text = files.read(folder + "/pnpm-workspace.yaml")) {
    if (const Result<wire::Json> yaml = wire::parse_yaml(*text)) {
      list = yaml->at("packages");
    }
  }
  std::vector<std::string> patterns;
  for (std::size_t i = 0; i < list.size(); ++i) {
    patterns.push_back(list.at(i).string().value_or(""));
  }
  return patterns;
}

// "packages/*", "apps/**", "./api": a last * stands for one folder, ** for all below.
void add_folders(const std::string& root, std::string_view pattern, const FileReader& files,
                 std::vector<std::string>& found) {
  if (pattern.starts_with("./")) {
    pattern.remove_prefix(2);
  }
  const bool deep = pattern.ends_with("/**");
  const bool one = pattern.ends_with("/*");
  if (deep || one) {
    pattern.remove_suffix(deep ? 3 : 2);
  }
  if (pattern.empty() || pattern.find_first_of("*?[{!") != std::string_view::npos) {
    return;
  }
  std::vector<std::string> waiting{fmt::format("{}/{}", root == "/" ? "" : root, pattern)};
  if (!deep && !one) {
    found.push_back(waiting.front());
    return;
  }
  while (!waiting.empty() && found.size() < kMostFolders) {
    const std::string folder = std::move(waiting.back());
    waiting.pop_back();
    for (const std::string& name : files.folders_in(folder)) {
      if (name == "node_modules") {
        continue;
      }
      found.push_back(fmt::format("{}/{}", folder, name));
      if (deep) {
        waiting.push_back(found.back());
      }
    }
  }
}

}  // namespace

std::optional<std::string> find_workspace(std::string_view name, std::string_view directory,
                                          const FileReader& files) {
  for (std::string root(directory);; root = parent(root)) {
    std::vector<std::string> folders;
    for (const std::string& pattern : patterns_of(root, files)) {
      add_folders(root, pattern, files, folders);
    }
    std::vector<std::string> by_name;
    std::string_view as_folder = name;
    while (as_folder.starts_with("./")) {
      as_folder.remove_prefix(2);
    }
    for (const std::string& folder : folders) {
      const std::string called = package_in(folder, files).at("name").string().value_or("");
      if (folder == fmt::format("{}/{}", root == "/" ? "" : root, as_folder) || called == name) {
        return folder;
      }
      if (called.starts_with('@') && called.ends_with(fmt::format("/{}", name))) {
        by_name.push_back(folder);  // pnpm: a name without its scope
      }
    }
    if (by_name.size() == 1) {
      return by_name.front();
    }
    if (!folders.empty() || root == "/" || root.empty()) {
      return std::nullopt;
    }
  }
}

}  // namespace ni
