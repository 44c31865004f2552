// The page for people at `/`: one look says whether all is well, and if not, what to do. HTML without script, readable
// by a screen reader and on a phone; its one style sheet stands in it. Names persons, devices and requests where it is
// given them, and nowhere else. Pure functions of a snapshot. Any thread.
#pragma once

#include "daemon/health/server.hpp"

#include <string>

namespace connector::health {

// The summary, with the way to the full page where there is one.
[[nodiscard]] std::string summary_html(const HealthSnapshot& snapshot, bool has_full_page);
[[nodiscard]] std::string full_html(const HealthSnapshot& snapshot, const Names& names);
// The whole Content-Security-Policy: nothing but that style sheet, by its hash.
[[nodiscard]] const std::string& page_policy();

}  // namespace connector::health
