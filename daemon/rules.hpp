// From settings to the engine's rules: reads the certificates that the configuration names (device CAs, importers).
// Start and reload only; reads files. kind: misconfigured, naming the key and the file.
#pragma once

#include "config/settings.hpp"
#include "core/engine/context.hpp"

namespace connector::daemon {

[[nodiscard]] Result<engine::Rules> rules_from(const config::Settings& settings);

}  // namespace connector::daemon
