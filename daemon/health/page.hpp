// The page for people at `/`: one look says whether all is well, and if not, what to do. HTML without script, readable
// by a screen reader and on a phone; its one style sheet stands in it. Names no person, device or request. Pure
// functions of a snapshot. Any thread.
#pragma once

#include "daemon/health/server.hpp"

#include <string>

namespace connector::health {

[[nodiscard]] std::string page_html(const HealthSnapshot& snapshot);
// The whole Content-Security-Policy: nothing but that style sheet, by its hash.
[[nodiscard]] const std::string& page_policy();

}  // namespace connector::health
