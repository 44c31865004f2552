// What the health server says, apart from how: pure functions of a snapshot. Any thread.
#pragma once

#include "daemon/health/server.hpp"

#include <string>
#include <string_view>

namespace connector::health {

// /readyz: whether, and what fails.
[[nodiscard]] std::string readiness_json(const HealthSnapshot& snapshot);
// The page for people: HTML without script; its one style sheet stands in it.
[[nodiscard]] std::string page_html(const HealthSnapshot& snapshot, Page page);
// The whole Content-Security-Policy: nothing but that style sheet, by its hash.
[[nodiscard]] const std::string& page_policy();

// RFC 9110 7.2: whether a Host header names the loopback or one of `hosts` (names without port).
[[nodiscard]] bool is_our_host(std::string_view host_header, const std::vector<std::string>& hosts);

}  // namespace connector::health
