// The two clocks, kept apart by type: UtcTime for certificates and records, Tick for waiting.
// Any thread; values only. Reading a clock is ports/clock's business.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace connector {

using UtcTime = std::chrono::sys_seconds;
using Tick = std::chrono::steady_clock::time_point;

// RFC 3339 in UTC with `Z` and without fractions: 2026-11-23T12:00:00Z.
[[nodiscard]] std::string to_rfc3339(UtcTime time);
// Read with up to nine fractional digits, which are dropped; only `Z` is taken as zone. kind: invalid.
[[nodiscard]] Result<UtcTime> from_rfc3339(std::string_view text);
// RFC 9110 5.6.7, the fixed-length form only (`Date:` headers). kind: invalid.
[[nodiscard]] Result<UtcTime> from_http_date(std::string_view text);

}  // namespace connector
