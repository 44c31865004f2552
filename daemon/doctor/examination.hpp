// `doctor`: all areas in one order, with the daemon's own word where it answers and knows better.
// Blocking; one thread. Changes nothing.
#pragma once

#include "config/settings.hpp"
#include "core/time.hpp"
#include "daemon/control/client.hpp"
#include "daemon/doctor/check.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace connector::doctor {

// control::ask_running: nullopt where no daemon listens.
using AskRunning = std::function<std::optional<control::Answer>(const config::Settings&, const std::string&,
                                                                const boost::json::object&)>;

[[nodiscard]] std::vector<Check> examine(const config::Settings& settings, const AskRunning& ask, UtcTime now);

// `doctor --for import`: what the importing tool needs, on whatever machine it runs.
[[nodiscard]] std::vector<Check> examine_import(const config::Settings& settings, UtcTime now);

// `authority test`: one that is configured, by the daemon where only it has its secrets; and whether the daemon has
// left it alone meanwhile.
[[nodiscard]] std::vector<Check> examine_authority(const config::Settings& settings, const std::string& name,
                                                   const AskRunning& ask, UtcTime now);

}  // namespace connector::doctor
