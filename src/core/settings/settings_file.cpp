#include "core/settings/settings_file.h"

// No exceptions and no formatters: they would bring iostream and std::locale (600 KB) into the
// static program. No assert(3) either: it prints and aborts, and some are in constexpr functions.
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_ENABLE_FORMATTERS 0
#define TOML_INT_CHARCONV 1
#define TOML_FLOAT_CHARCONV 1
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "core/settings/command_text.h"

namespace ni {
namespace {

// A file with more problems than that is no configuration: the rest is not looked at.
constexpr std::size_t kMostProblems = 200;

constexpr std::array<std::string_view, 4> kOtherKeys = {"command", "name", "env", "program"};

class Reader {
 public:
  Reader(const std::string& path, WrittenFile& file) : path_(path), file_(file) {}

  void read_table(const toml::table& table, WrittenProgram& program, bool top);

 private:
  std::string at(const toml::source_position& position) const {
    return path_ + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
  }
  void problem(const toml::source_position& position, std::string what) {
    file_.problems.push_back({at(position), std::move(what)});
  }
  void read_setting(const Setting& setting, const toml::key& key, const toml::node& value,
                    WrittenProgram& program, bool top);
  bool read_other(std::string_view key, const toml::node& value, WrittenProgram& program, bool top);
  void read_environment(const toml::node& value, Environment& environment);
  void read_programs(const toml::node& value);
  void unknown(const toml::key& key);

  const std::string& path_;
  WrittenFile& file_;
};

// The text of a string, number or boolean; nullopt for anything else.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* text = node.as_string()) {
    return text->get();
  }
  if (const auto* number = node.as_integer()) {
    return std::to_string(number->get());
  }
  if (const auto* truth = node.as_boolean()) {
    return std::string(truth->get() ? "on" : "off");
  }
  return std::nullopt;
}

// The elements of an array of plain values; nullopt when it is no array, or one of something else.
std::optional<std::vector<std::string>> as_words(const toml::node& node) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) {
    return std::nullopt;
  }
  std::vector<std::string> words;
  for (const toml::node& element : *array) {
    auto word = as_text(element);
    if (!word) {
      return std::nullopt;
    }
    words.push_back(std::move(*word));
  }
  return words;
}

std::string join_commas(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ",") + word;
  }
  return text.empty() ? "none" : text;
}

std::optional<std::string> setting_text(const Setting& setting, const toml::node& value) {
  const auto words = setting.form == Setting::Form::word ? std::nullopt : as_words(value);
  if (!words) {
    return as_text(value);
  }
  if (setting.form == Setting::Form::list) {
    return join_commas(*words);
  }
  return words->empty() ? "none" : join_command(*words);
}

void Reader::read_setting(const Setting& setting, const toml::key& key, const toml::node& value,
                          WrittenProgram& program, bool top) {
  if (top && setting.scope == Setting::Scope::program_only) {
    problem(key.source().begin, std::string(setting.key) + " belongs inside a [[program]]");
    return;
  }
  if (!top && setting.scope == Setting::Scope::container) {
    problem(key.source().begin,
            std::string(setting.key) +
                " is for the whole container: it belongs above every [[program]]");
    return;
  }
  auto text = setting_text(setting, value);
  if (!text) {
    problem(value.source().begin, "cannot use this kind of value for " + std::string(setting.key) +
                                      "; allowed: " + std::string(setting.allowed));
    return;
  }
  program.settings.push_back(
      {&setting, std::move(*text), {Origin::From::file, at(value.source().begin)}});
}

void Reader::read_environment(const toml::node& value, Environment& environment) {
  const toml::table* const table = value.as_table();
  if (table == nullptr) {
    problem(value.source().begin, "env must be a table: NAME = \"value\"");
    return;
  }
  for (const auto& [key, node] : *table) {
    auto text = node.is_boolean()
                    ? std::optional<std::string>(node.as_boolean()->get() ? "true" : "false")
                    : as_text(node);
    const bool name_is_right = !key.str().empty() &&
                               key.str().find('=') == std::string_view::npos &&
                               key.str().find('\0') == std::string_view::npos;
    if (!name_is_right) {
      problem(key.source().begin,
              "\"" + printable(key.str(), 80) + "\" cannot be the name of a variable");
    } else if (!text || text->find('\0') != std::string::npos) {
      problem(node.source().begin,
              "the value of a variable must be a string, a whole number or a boolean");
    } else {
      environment.emplace_back(std::string(key.str()), std::move(*text));
    }
  }
}

void Reader::read_programs(const toml::node& value) {
  const toml::array* const array = value.as_array();
  const bool right = array != nullptr && std::ranges::all_of(*array, [](const toml::node& node) {
                       return node.is_table();
                     });
  if (!right) {
    problem(value.source().begin, "write [[program]], once for each program");
    return;
  }
  for (const toml::node& node : *array) {
    WrittenProgram program;
    program.where = at(node.source().begin);
    read_table(*node.as_table(), program, false);
    file_.programs.push_back(std::move(program));
  }
}

// The keys that are no settings. False: none of them.
bool Reader::read_other(std::string_view key, const toml::node& value, WrittenProgram& program,
                        bool top) {
  if (key == "command") {
    const auto text = value.as_string();
    auto words = text != nullptr ? split_command(text->get()) : as_words(value);
    const bool right = words && !words->empty() && !words->front().empty() &&
                       std::ranges::none_of(*words, [](const std::string& word) {
                         return word.find('\0') != std::string::npos;
                       });
    if (right) {
      program.command = std::move(*words);
    } else {
      problem(value.source().begin,
              "command must be a string of words or an array of strings, such as [\"node\", "
              "\"server.js\"]");
    }
    return true;
  }
  if (key == "name") {
    const auto* const text = value.as_string();
    if (text != nullptr && !text->get().empty() && text->get().size() <= 64 &&
        printable(text->get()) == text->get()) {
      program.name = text->get();
    } else {
      problem(value.source().begin, "name must be a string of 1 to 64 visible characters");
    }
    return true;
  }
  if (key == "env") {
    read_environment(value, program.environment);
    return true;
  }
  if (key == "program" && top) {
    read_programs(value);
    return true;
  }
  return false;
}

void Reader::unknown(const toml::key& key) {
  std::vector<std::string_view> candidates(kOtherKeys.begin(), kOtherKeys.end());
  for (const Setting& setting : settings()) {
    candidates.push_back(setting.key);
  }
  const auto nearest = did_you_mean(as_key(key.str()), candidates);
  problem(key.source().begin, "unknown key \"" + printable(key.str(), 80) + "\"" +
                                  (nearest ? "; did you mean " + std::string(*nearest) + "?" : ""));
}

void Reader::read_table(const toml::table& table, WrittenProgram& program, bool top) {
  for (const auto& [key, value] : table) {
    if (file_.problems.size() >= kMostProblems) {
      return;
    }
    if (const Setting* setting = find_setting(key.str())) {
      read_setting(*setting, key, value, program, top);
    } else if (!read_other(key.str(), value, program, top)) {
      unknown(key);
    }
  }
}

// toml++ keeps a table's keys in their alphabetical order; people read their file from the top.
void sort_by_place(std::vector<Problem>& problems) {
  const auto place = [](const Problem& problem) {
    const auto parts = split(problem.where, ':');
    const auto number = [&](std::size_t from_end) {
      return parts.size() < from_end
                 ? 0U
                 : parse_number<unsigned>(parts[parts.size() - from_end]).value_or(0);
    };
    return std::pair(number(2), number(1));
  };
  std::ranges::stable_sort(problems, std::less{}, place);
}

}  // namespace

WrittenFile read_settings_file(std::string_view text, const std::string& path) {
  WrittenFile file;
  file.top.where = path;
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    file.problems.push_back({path + ":" + std::to_string(error.source().begin.line) + ":" +
                                 std::to_string(error.source().begin.column),
                             printable(error.description(), 300)});
    return file;
  }
  Reader(path, file).read_table(parsed.table(), file.top, true);
  if (!file.programs.empty() && !file.top.command.empty()) {
    file.problems.push_back(
        {path, "command and [[program]] exclude each other: move the command into a [[program]]"});
  }
  sort_by_place(file.problems);
  return file;
}

namespace {

// A value in double quotes: up to the closing quote, with its escapes resolved. nullopt: not
// closed, or followed by more than a comment.
std::optional<std::string> unquote(std::string_view text) {
  const char quote = text.front();
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      const std::string_view rest = trim(text.substr(i + 1));
      return rest.empty() || rest.front() == '#' ? std::optional(value) : std::nullopt;
    }
    if (text[i] == '\\' && quote == '"' && i + 1 < text.size()) {
      ++i;
      const char c = text[i];
      const bool special = c == '"' || c == '\\' || c == '$';
      value += c == 'n'   ? std::string("\n")
               : c == 't' ? "\t"
               : special  ? std::string(1, c)
                          : std::string{'\\', c};
      continue;
    }
    value += text[i];
  }
  return std::nullopt;
}

}  // namespace

Environment read_environment_file(std::string_view text, const std::string& path,
                                  std::vector<Problem>& problems) {
  Environment environment;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    const std::string where = path + ":" + std::to_string(number);
    line = trim(line);
    if (line.starts_with("export ")) {
      line = trim(line.substr(7));
    }
    if (line.empty() || line.front() == '#') {
      continue;
    }
    const auto equals = line.find('=');
    const std::string_view name = trim(line.substr(0, equals));
    // The line itself is not shown: it may hold a secret.
    if (equals == std::string_view::npos || name.empty() ||
        line.find('\0') != std::string_view::npos) {
      problems.push_back({where, "not a NAME=VALUE line"});
      continue;
    }
    const std::string_view value = trim(line.substr(equals + 1));
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
      if (auto unquoted = unquote(value)) {
        environment.emplace_back(std::string(name), std::move(*unquoted));
      } else {
        problems.push_back({where, "the quote is not closed, or text follows it"});
      }
      continue;
    }
    environment.emplace_back(std::string(name), std::string(value));
  }
  return environment;
}

std::string toml_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += std::string{'\\', c};
    } else if (byte < 0x20 || byte == 0x7F) {
      result += std::string("\\u00") + kHex[byte >> 4U] + kHex[byte & 0xFU];
    } else {
      result += c;
    }
  }
  return result + "\"";
}

}  // namespace ni
