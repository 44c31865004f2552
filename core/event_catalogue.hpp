// The catalogue's two halves and its printed form. Everyone but events.cpp and the command line wants events.hpp.
// Values only, any thread.
#pragma once

#include "core/events.hpp"

#include <span>
#include <string>

namespace connector {

[[nodiscard]] std::span<const EventDefinition> request_events() noexcept;  // PKCS, IMP, REV, KEY
[[nodiscard]] std::span<const EventDefinition> house_events() noexcept;    // SVC, MGT, AUTH, STO

// The feature that has to be built before this event is raised; "" for one that is raised.
[[nodiscard]] std::string_view not_raised_before(std::string_view id) noexcept;

// docs/events.md.
[[nodiscard]] std::string catalogue_markdown();

}  // namespace connector
