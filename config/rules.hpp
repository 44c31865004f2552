// Inside config/ only: what concerns several keys together. Looks at no file's content.
#pragma once

#include "config/settings.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace connector::config {

// Told with the key at fault, what is wrong, and the way out.
using Tell = std::function<void(std::string_view key, std::string message, std::string hint)>;

// Contradictions of a whole daemon, for Need::run.
void check_rules(const Settings& settings, const Tell& problem, const Tell& warning);
// Of what the importing tool needs, wherever it runs; part of check_rules().
void check_importer_rules(const Settings& settings, const Tell& problem);

}  // namespace connector::config
