// From a scenario that breaks an invariant to a smaller one that breaks the same: figure by figure towards nothing.
#pragma once

#include "tests/sim/runner.hpp"

#include <string>

namespace connector::sim {

[[nodiscard]] Scenario minimised(Runner& runner, Scenario scenario, const std::string& invariant);

}  // namespace connector::sim
