// `deliveries --user U`, as JSON: what each device has had from here, what its last delivery left out and why, and
// which of the user's certificates other devices have and it has not. Pure.
#pragma once

#include "core/ports/ledger.hpp"

#include <boost/json/array.hpp>

#include <vector>

namespace connector::control {

[[nodiscard]] boost::json::array deliveries_json(const std::vector<ports::DeliveredImport>& deliveries);

}  // namespace connector::control
