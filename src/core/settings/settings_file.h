#pragma once

// The configuration file (TOML 1.0): every setting by its key, and what only a file can say:
//
//   command = ["node", "server.js"]   # or "node server.js"; the command line's is stronger
//   name = "web"
//   [env]                             # added to the workers' environment
//   NODE_ENV = "production"
//   [[program]]                       # several programs in one container, in place of `command`
//   name = "web"
//   command = "node server.js"
//   workers = "auto"
//   env = { ROLE = "web" }

#include <string>
#include <string_view>

#include "core/settings/configure.h"

namespace ni {

// `path` is for messages. Every problem (syntax, unknown key, wrong type) is in
// WrittenFile::problems with path:line:column; the values of settings are judged by configure().
WrittenFile read_settings_file(std::string_view text, const std::string& path);

// NAME=VALUE lines, as `env_file` names them: blank lines, # comments and a leading `export ` are
// passed over; a value may stand in '…' (as it is) or "…" (\n, \t, \", \\, \$ are understood).
// Nothing is expanded.
Environment read_environment_file(std::string_view text, const std::string& path,
                                  std::vector<Problem>& problems);

// `text` as a basic string of TOML. TOML is UTF-8: other bytes come through as they are, and a
// reader of TOML refuses them. (Not named quoted: std::quoted would be found as well.)
std::string toml_string(std::string_view text);

}  // namespace ni
