#pragma once

// The page at `/`: what GET /status, /events and /metrics say, live, in a browser. One text, no
// outside resource.

#include <string_view>

namespace ni {

extern const std::string_view kStatusPage;

}  // namespace ni
