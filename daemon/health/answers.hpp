// What the health server says, apart from how: pure functions of a snapshot. Any thread.
#pragma once

#include "daemon/health/server.hpp"

#include <string>
#include <string_view>

namespace connector::health {

// /readyz: whether, and what fails.
[[nodiscard]] std::string readiness_json(const HealthSnapshot& snapshot);
// Whether an Authorization header (RFC 9110 11.6.2) has the token: as Bearer, or as the password of Basic. In the same
// time wherever they differ.
[[nodiscard]] bool holds_token(std::string_view authorization, const SecretBytes& token);
// What a reload may put in force where others can connect: the address stays until a restart, and a configuration that
// is sound with another one opens nothing on this one. TLS stays unless clear text was allowed; no token in clear.
[[nodiscard]] HealthAccess fit_for_others(HealthAccess fresh, const HealthAccess& old, bool allow_remote);
// RFC 9110 7.2: whether a Host header names the loopback or one of `hosts` (names without port).
[[nodiscard]] bool is_our_host(std::string_view host_header, const std::vector<std::string>& hosts);

}  // namespace connector::health
