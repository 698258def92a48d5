#include "core/command/node_command.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ni {
namespace {

// The options that take the next word when they have no '=' (node --help of 14, 16, 18, 20, 22, 24,
// 26).
constexpr auto kWithValue = std::to_array<std::string_view>({
    "--allow-fs-read",
    "--allow-fs-write",
    "--bench-isolation",
    "--bench-name-pattern",
    "--bench-reporter",
    "--bench-reporter-destination",
    "--bench-samples",
    "--bench-warmup",
    "--build-sea",
    "--build-snapshot-config",
    "--conditions",
    "--cpu-prof-dir",
    "--cpu-prof-interval",
    "--cpu-prof-name",
    "--debug-port",
    "--diagnostic-dir",
    "--disable-proto",
    "--disable-warning",
    "--dns-result-order",
    "--env-file",
    "--env-file-if-exists",
    "--es-module-specifier-resolution",
    "--eval",
    "--experimental-config-file",
    "--experimental-default-type",
    "--experimental-loader",
    "--experimental-package-map",
    "--experimental-policy",
    "--experimental-sea-config",
    "--experimental-specifier-resolution",
    "--experimental-test-isolation",
    "--experimental-test-tag-filter",
    "--heap-prof-dir",
    "--heap-prof-interval",
    "--heap-prof-name",
    "--heapsnapshot-near-heap-limit",
    "--heapsnapshot-signal",
    "--icu-data-dir",
    "--import",
    "--input-type",
    "--inspect-port",
    "--inspect-publish-uid",
    "--loader",
    "--localstorage-file",
    "--max-http-header-size",
    "--max-old-space-size-percentage",
    "--network-family-autoselection-attempt-timeout",
    "--openssl-config",
    "--policy-integrity",
    "--print",
    "--redirect-warnings",
    "--report-dir",
    "--report-directory",
    "--report-filename",
    "--report-signal",
    "--require",
    "--run",
    "--secure-heap",
    "--secure-heap-min",
    "--snapshot-blob",
    "--stack-trace-limit",
    "--test-concurrency",
    "--test-coverage-branches",
    "--test-coverage-exclude",
    "--test-coverage-functions",
    "--test-coverage-include",
    "--test-coverage-lines",
    "--test-global-setup",
    "--test-name-pattern",
    "--test-random-seed",
    "--test-reporter",
    "--test-reporter-destination",
    "--test-rerun-failures",
    "--test-shard",
    "--test-skip-pattern",
    "--test-timeout",
    "--title",
    "--tls-cipher-list",
    "--tls-keylog",
    "--trace-event-categories",
    "--trace-event-file-pattern",
    "--trace-require-module",
    "--unhandled-rejections",
    "--use-largepages",
    "--v8-pool-size",
    "--vfs-load",
    "--vfs-mount",
    "--watch-kill-signal",
    "--watch-path",
    "-C",
    "-e",
    "-p",
    "-pe",
    "-r",
});

// With one of these Node runs no server of ours: it prints, checks, tests, or starts the program
// again by itself.
constexpr auto kOtherwise = std::to_array<std::string_view>({
    "--build-sea",
    "--build-snapshot",
    "--check",
    "--completion-bash",
    "--eval",
    "--experimental-sea-config",
    "--help",
    "--interactive",
    "--print",
    "--prof-process",
    "--test",
    "--v8-options",
    "--version",
    "--watch",
    "--watch-path",
});
constexpr std::string_view kOtherwiseShort = "cehipv";  // may be joined: -pe

bool among(std::span<const std::string_view> list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

bool is_otherwise(std::string_view name) {
  if (name.starts_with("--")) return among(kOtherwise, name);
  return name.find_first_of(kOtherwiseShort, 1) != std::string_view::npos;
}

}  // namespace

bool is_node(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  return name == "node" || name == "nodejs";
}

bool takes_next_word(std::string_view option) {
  if (option.find('=') != std::string_view::npos) return false;
  std::string name(option);
  if (name.starts_with("--")) std::ranges::replace(name, '_', '-');  // Node takes both
  return among(kWithValue, name);
}

NodeCommand parse_node_command(std::span<const std::string> argv) {
  NodeCommand command;
  command.because = "no script";
  const auto otherwise = [&](std::string because) {
    command.because = std::move(because);
    return command;
  };
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string_view word = argv[i];
    if (word == "-") return otherwise("a script on standard input");
    if (word == "--" && ++i == argv.size()) return command;
    if (word == "--" || word.empty() || word.front() != '-') {
      if (word == "inspect") return otherwise("node inspect");
      command.runs = NodeCommand::Runs::script;
      command.operand = i;
      command.because.clear();
      return command;
    }
    std::string name(word.substr(0, word.find('=')));
    if (name.starts_with("--")) std::ranges::replace(name, '_', '-');  // Node takes both
    const bool has_value = name.size() < word.size();
    if (name.starts_with("--inspect") || name == "--debug-port") command.inspect = i;
    if (name == "--run") {
      if (!has_value && i + 1 == argv.size()) return otherwise("--run");
      command.runs = NodeCommand::Runs::package_script;
      command.package_script = has_value ? std::string(word.substr(name.size() + 1)) : argv[i + 1];
      command.operand = has_value ? i : i + 1;
      command.because.clear();
      return command;
    }
    if (is_otherwise(name)) {
      return otherwise("node " + name);
    }
    if (takes_next_word(word)) ++i;
  }
  return command;
}

std::vector<std::string> node_options_words(std::string_view value) {
  std::vector<std::string> words;
  bool quoted = false;
  bool at_start = true;
  for (std::size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (c == '\\' && quoted && i + 1 < value.size()) {
      c = value[++i];
    } else if (c == ' ' && !quoted) {
      at_start = true;
      continue;
    } else if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (at_start) {
      words.emplace_back();
      at_start = false;
    }
    words.back().push_back(c);
  }
  return words;
}

}  // namespace ni
