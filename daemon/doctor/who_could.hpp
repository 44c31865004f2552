// `doctor --trust`: who could do what under this configuration, and by which key that changes. Pure: the configuration
// alone decides; whether files are guarded as they should be is the other checks' business.
#pragma once

#include "config/settings.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace connector::doctor {

enum class Power {
    none,     // cannot
    limited,  // can, within a bound that the row names
    open      // can
};
[[nodiscard]] std::string_view to_string(Power power) noexcept;  // no | limited | yes

struct Ability {
    std::string who;   // service, importer, authority, local, network
    std::string what;  // "have a key delivered to a device of its choice"
    Power power = Power::none;
    std::string because;  // as things stand
    std::string key;      // what would change it
};
[[nodiscard]] std::vector<Ability> who_could(const config::Settings& settings);
[[nodiscard]] boost::json::value to_json(const std::vector<Ability>& abilities);

}  // namespace connector::doctor
