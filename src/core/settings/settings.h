#pragma once

// The one table of settings. A row is a setting: from it come the option (--ready-timeout), the
// variable (NODEINIT_READY_TIMEOUT), the TOML key (ready_timeout), --help, --print-config, the
// validation and the reference in docker/docs/settings.md. To add a setting: a field in core/settings/config.h, a
// row here. A row's `fallback` is what config.h's default is called; a test compares the two.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/settings/config.h"

namespace ni {

struct Setting {
  enum class Scope : std::uint8_t {
    container,     // one for the whole container
    program,       // at the top level for every program; a [[program]] may have its own
    program_only,  // only inside [[program]]: a TOML key without option and variable
  };
  // How TOML may write it besides a string.
  enum class Form : std::uint8_t {
    word,     // string, number or boolean
    list,     // also an array, which is joined by commas
    command,  // also an array: the words of a command
  };

  // What a reload can do with a change of it.
  enum class Reload : std::uint8_t { applies, needs_new_container };

  std::string_view key;
  Form form;
  Scope scope;
  std::string_view fallback;
  std::string_view value;    // what stands for the value in --help: TIME, auto|off
  std::string_view allowed;  // in an error message, after "allowed: "
  std::string_view help;
  // False: the text is not allowed; what was read into is then unspecified. The program is the top
  // level's (defaults for all) or one [[program]].
  bool (*read)(std::string_view text, Config& container, ProgramConfig& program);
  // Text which reads back as the same value.
  std::string (*show)(const Config& container, const ProgramConfig& program);
  Reload reload = Reload::applies;
};

std::span<const Setting> settings();

// By TOML key; nullptr if there is none.
const Setting* find_setting(std::string_view key);

std::string option_name(const Setting& setting);    // "--ready-timeout"
std::string variable_name(const Setting& setting);  // "NODEINIT_READY_TIMEOUT"

// What a key, option or variable would be called as a key: "ready-timeout" and "READY_TIMEOUT" are
// ready_timeout.
std::string as_key(std::string_view written);

}  // namespace ni
