#include "tests/sim/minimise.hpp"

#include <array>
#include <string_view>

namespace connector::sim {
namespace {

constexpr int k_most_runs = 300;

// The least that still makes sense of a figure.
std::uint64_t least_of(std::string_view name) {
    for (const auto one : {"requests", "connectors", "authorities"})
        if (name == one) return 1;
    for (const auto kept : {"faults_until", "lease_seconds", "binding", "finds", "revokes", "idempotent", "sweep_kind",
                            "sweep_step", "sweep_how"})
        if (name == kept) return ~std::uint64_t{0};  // left as it is
    return 0;
}

}  // namespace

Scenario minimised(Runner& runner, Scenario scenario, const std::string& invariant) {
    int runs = 0;
    const auto still = [&](const Scenario& candidate) {
        return ++runs <= k_most_runs && runner.run(candidate, false).violation == invariant;
    };
    for (bool smaller = true; smaller && runs < k_most_runs;) {
        smaller = false;
        for (const auto& [name, field] : Scenario::fields()) {
            const std::uint64_t least = least_of(name);
            if (least > scenario.*field) continue;
            // All of it, then half, then one less.
            for (const std::uint64_t value :
                 std::array{least, least + (scenario.*field - least) / 2, scenario.*field - 1}) {
                if (scenario.*field <= least || value >= scenario.*field) continue;
                Scenario candidate = scenario;
                candidate.*field = value;
                if (!still(candidate)) continue;
                scenario = candidate;
                smaller = true;
                break;
            }
        }
    }
    return scenario;
}

}  // namespace connector::sim
