// The paths that are swept: what the world is like, what happens in it besides the fault, and how it must end whatever
// fails on the way.
#pragma once

#include "tests/sim/tally.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace connector::sim {

class World;

// Fewer calls than these: the path no longer goes where it is meant to.
struct Least {
    std::uint64_t ledger = 0;
    std::uint64_t service = 0;
    std::uint64_t authority = 0;
};
// Of the orders, as the service judged; the same after every fault.
struct Ending {
    std::uint64_t delivered = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
};
struct Path {
    std::string_view name;
    std::string_view settings;
    Ending ending;
    Least least;
    std::uint64_t seed = 4;
    // Without a fault: certificates issued and revoked.
    std::uint64_t issued = 0;
    std::uint64_t revoked = 0;
    std::function<void(World&)> prepare = {};
    // An authority that neither searches nor knows a request again: whoever loses its answer has a second certificate
    // made. What the ledger alone does wrong must not.
    bool one_certificate = false;
    // How it may end as well: a fault that let something through.
    std::optional<Ending> other = {};
};
[[nodiscard]] const std::vector<Path>& paths();

}  // namespace connector::sim
