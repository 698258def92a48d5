#include "core/pm2/pm2.h"

#include "core/settings/settings_file.h"

namespace ni {
namespace {

void print_program(std::string& text, const WrittenProgram& program) {
  if (!program.name.empty()) {
    text += "name = " + toml_string(program.name) + "\n";
  }
  std::string words;
  for (const std::string& word : program.command) {
    words += (words.empty() ? "" : ", ") + toml_string(word);
  }
  if (!program.command.empty()) {
    text += "command = [" + words + "]\n";
  }
  for (const Written& written : program.settings) {
    text += std::string(written.setting->key) + " = " + toml_string(written.text) + "\n";
  }
  std::string variables;
  for (const auto& [name, value] : program.environment) {
    variables += (variables.empty() ? "" : ", ") + toml_string(name) + " = " + toml_string(value);
  }
  if (!variables.empty()) {
    text += "env = { " + variables + " }\n";
  }
}

}  // namespace

std::string without_comments(std::string_view json) {
  std::string text;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = json.substr(i);
    if (in_string && rest.starts_with('\\') && rest.size() > 1) {
      text += rest.substr(0, 2);
      ++i;
      continue;
    }
    if (!in_string && (rest.starts_with("//") || rest.starts_with("/*"))) {
      const bool line = rest[1] == '/';
      const auto end = line ? rest.find('\n') : rest.find("*/", 2);
      if (end == std::string_view::npos) {
        break;
      }
      i += line ? end - 1 : end + 1;
      text += ' ';
      continue;
    }
    if (!in_string && (rest.front() == '}' || rest.front() == ']')) {
      // PM2 takes a comma behind the last one.
      const auto last = text.find_last_not_of(" \t\r\n");
      if (last != std::string::npos && text[last] == ',') {
        text.erase(last, 1);
      }
    }
    in_string = rest.front() == '"' ? !in_string : in_string;
    text += rest.front();
  }
  return text;
}

std::string to_toml(const Pm2Translation& translation) {
  std::string text;
  for (const Problem& remark : translation.remarks) {
    text += "# " + to_string(remark) + "\n";
  }
  text += text.empty() ? "" : "\n";
  print_program(text, translation.file.top);
  for (const WrittenProgram& program : translation.file.programs) {
    text += "\n[[program]]\n";
    print_program(text, program);
  }
  return text;
}

}  // namespace ni
