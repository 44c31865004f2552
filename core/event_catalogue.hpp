// The catalogue's two halves and its printed form. Everyone but events.cpp and the command line wants events.hpp.
// Values only, any thread.
#pragma once

#include "core/events.hpp"

#include <span>
#include <string>

namespace connector {

[[nodiscard]] std::span<const EventDefinition> request_events() noexcept;  // PKCS, IMP, REV, KEY
[[nodiscard]] std::span<const EventDefinition> house_events() noexcept;    // SVC, MGT, AUTH, STO

// docs/events.md.
[[nodiscard]] std::string catalogue_markdown();

}  // namespace connector
