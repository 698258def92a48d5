#pragma once

// pm2-runtime's command line in our terms, so that `CMD ["pm2-runtime", "app.js", "-i", "max"]`
// works when /usr/local/bin/pm2-runtime is a symlink to nodeinit. Options without a use in a
// container are named with the reason, unknown ones are refused (PM2 ignores them in silence).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_reader.h"
#include "core/pm2/pm2.h"

namespace ni {

struct Pm2Start {
  enum class Verb : std::uint8_t { run, help, version };
  Verb verb = Verb::run;
  Pm2Translation translation;
  std::vector<Problem> usage;  // wrong words: exit code 64
  // An ecosystem file which node had to evaluate, and its text as JSON: a reload cannot do that
  // again without stopping to serve.
  std::string evaluated_path;
  std::string evaluated;
};

// `words`: what follows pm2-runtime. `files` gives JavaScript files as the JSON they evaluate to.
Pm2Start read_pm2_command(std::span<const std::string> words, const FileReader& files);

// An ecosystem file: JSON, or JavaScript as above.
Pm2Translation read_pm2_file(const std::string& path, const Pm2Choice& choice,
                             const FileReader& files);

bool is_javascript(std::string_view path);  // .js, .cjs, .mjs

std::string pm2_help_text();

}  // namespace ni
