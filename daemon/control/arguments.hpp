// What the operations read from a command's arguments and write into its answer. Pure; any thread.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace connector::control {

// The call is wrong, exit 2.
[[nodiscard]] inline Error usage(std::string message) {
    return Error(ErrorKind::invalid, "usage", std::move(message));
}

// nullopt: not there, or no text.
[[nodiscard]] inline std::optional<std::string> text(const boost::json::object& arguments, std::string_view name) {
    const auto* found = arguments.if_contains(name);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return std::string(found->get_string());
}

[[nodiscard]] inline boost::json::value time_or_null(const std::optional<UtcTime>& time) {
    return time ? boost::json::value(to_rfc3339(*time)) : boost::json::value(nullptr);
}

// What JSON takes from a std::string_view.
[[nodiscard]] inline std::string_view view(std::string_view text) {
    return text;
}

}  // namespace connector::control
