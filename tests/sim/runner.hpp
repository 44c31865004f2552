// Lives a scenario through in memory-backed storage. One thread; others may have runners of their own.
#pragma once

#include "tests/sim/scenario.hpp"
#include "tests/sim/tally.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace connector::sim {

class World;

struct Run {
    std::string violation;  // "" where every invariant held
    std::string detail;
    std::uint64_t hash = 0;
    std::vector<std::string> trace;
    Tally tally;
    std::uint64_t sweep_calls = 0;
};

class Runner {
public:
    // A folder of its own in /dev/shm, or in the temporary folder where there is none.
    Runner();
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    ~Runner();

    // `prepare`: what else is to happen in this world.
    [[nodiscard]] Run run(const Scenario& scenario, bool keep_trace, const std::function<void(World&)>& prepare = {});

private:
    std::filesystem::path folder_;
    std::uint64_t runs_ = 0;
};

}  // namespace connector::sim
