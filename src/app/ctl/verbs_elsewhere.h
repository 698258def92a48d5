#pragma once

// What people type who know PM2, systemd or supervisord.

#include <string_view>

namespace ni::app {

// What that verb of another tool is here, as text for a message. Empty: no verb that we know.
std::string_view verb_here(std::string_view verb);

}  // namespace ni::app
