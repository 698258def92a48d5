#include "core/command/program_file.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/command/node_command.h"

namespace ni {
namespace {

constexpr auto kOfNode = std::to_array<std::string_view>(
    {"node", "nodejs", "npm", "npx", "yarn", "yarnpkg", "pnpm", "pnpx", "corepack", "tsx",
     "ts-node", "nodemon", "bun", "bunx", "deno"});

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_runtime(std::string_view program) {
  return is_node(program) || base_name(program) == "bun" || base_name(program) == "deno";
}

// @pnpm/cmd-shim and @zkochan/cmd-shim: exec node [options]  "$basedir/../next/dist/bin/next" "$@"
std::optional<Interpreted> shim(std::string_view path, std::string_view text) {
  if (text.find("\nbasedir=$(dirname ") == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string folder(path.substr(0, path.rfind('/') + 1));
  Interpreted result;
  for (const std::string_view line : split(text, '\n')) {
    constexpr std::string_view kNodePath = "export NODE_PATH=\"";
    const std::string_view trimmed = trim(line);
    if (trimmed.starts_with(kNodePath) && trimmed.ends_with('"')) {
      const std::string_view value =
          trimmed.substr(kNodePath.size(), trimmed.size() - kNodePath.size() - 1);
      if (value.find('$') == std::string_view::npos) {
        result.node_path = value;
      }
    }
    const std::vector<std::string_view> words = split_words(trimmed);
    if (words.size() < 4 || words[0] != "exec" || words[1] != "node" || words.back() != "\"$@\"") {
      continue;
    }
    constexpr std::string_view kBase = "\"$basedir/";
    const std::string_view target = words[words.size() - 2];
    if (!target.starts_with(kBase) || !target.ends_with('"') ||
        target.find_first_of("$\\`", 2) != std::string_view::npos) {
      return std::nullopt;
    }
    for (std::size_t i = 1; i + 2 < words.size(); ++i) {
      if (words[i].find_first_of("$\\`\"'") != std::string_view::npos) {
        return std::nullopt;
      }
      result.words.emplace_back(words[i]);
    }
    result.words.push_back(
        folder + std::string(target.substr(kBase.size(), target.size() - kBase.size() - 1)));
    return result;
  }
  return std::nullopt;
}

bool ends_word(char c) {
  return std::string_view(" \t\r\n\"'`;|&()").find(c) != std::string_view::npos;
}

}  // namespace

std::string_view interpreter_of(std::string_view text) {
  if (!text.starts_with("#!")) {
    return {};
  }
  const std::vector<std::string_view> words = split_words(first_line(text).substr(2));
  if (words.empty()) {
    return {};
  }
  const bool env = base_name(words[0]) == "env" && words.size() > 1;
  return base_name(env ? words.back() : words[0]);
}

std::optional<Interpreted> interpreted(std::string_view path, std::string_view text) {
  if (!text.starts_with("#!")) {
    return std::nullopt;
  }
  std::string_view line = trim(first_line(text).substr(2));
  std::vector<std::string_view> words = split_words(line);
  if (words.empty()) {
    return std::nullopt;
  }
  Interpreted result;
  if (base_name(words[0]) == "env") {
    words.erase(words.begin());
    if (!words.empty() && (words[0] == "-S" || words[0] == "--split-string")) {
      words.erase(words.begin());
    } else if (words.size() > 1) {
      return std::
          nullopt;  // the kernel hands all that follows over as one word: there is no such program
    }
    if (line.find_first_of("\\$\"'#=") != std::string_view::npos) {
      return std::nullopt;
    }
  } else if (words.size() > 2) {
    words = {words[0], trim(line.substr(words[0].size()))};
  }
  if (words.empty()) {
    return std::nullopt;
  }
  if (!is_runtime(words[0])) {
    return shim(path, text);
  }
  result.words.assign(words.begin(), words.end());
  result.words.emplace_back(path);
  return result;
}

bool is_program_of_node(std::string_view word) {
  return std::ranges::find(kOfNode, base_name(word)) != kOfNode.end() ||
         word.find("node_modules/.bin/") != std::string_view::npos;
}

bool names_node(std::string_view shell_text) {
  for (const std::string_view line : split(shell_text, '\n')) {
    const std::string_view rest = trim(line);
    if (rest.starts_with('#')) {
      continue;
    }
    for (std::size_t at = 0; at < rest.size();) {
      std::size_t end = at;
      while (end < rest.size() && !ends_word(rest[end])) {
        ++end;
      }
      if (is_program_of_node(rest.substr(at, end - at))) {
        return true;
      }
      at = end + 1;
    }
  }
  return false;
}

}  // namespace ni
