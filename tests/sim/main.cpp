// The command line of the simulator.
//   sim --seeds N --start S [--trace] [--once] [--set "requests=2 crashes=0"] [--holes] [--no-minimise] [--quiet]
// Every seed is lived through twice, and the two traces must be one. 0: nothing broke; 1: something did.
#include "tests/sim/minimise.hpp"
#include "tests/sim/runner.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace connector::sim;

struct Arguments {
    std::uint64_t seeds = 1000;
    std::uint64_t start = 1;
    bool trace = false;
    bool once = false;
    bool holes = false;
    bool minimise = true;
    bool count_only = false;
    std::string set;
};

bool read(int count, char** words, Arguments& arguments) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> const char* { return ++i < count ? words[i] : ""; };
        if (word == "--seeds") arguments.seeds = std::strtoull(value(), nullptr, 10);
        else if (word == "--start") arguments.start = std::strtoull(value(), nullptr, 10);
        else if (word == "--trace") arguments.trace = true;
        else if (word == "--once") arguments.once = true;
        else if (word == "--holes") arguments.holes = true;
        else if (word == "--no-minimise") arguments.minimise = false;
        else if (word == "--count") arguments.count_only = true;
        else if (word == "--set") arguments.set = value();
        else return false;
    }
    return true;
}

void show(const Run& run) {
    for (const auto& line : run.trace) std::printf("  %s\n", line.c_str());
}

}  // namespace

int main(int count, char** words) {
    Arguments arguments;
    if (!read(count, words, arguments)) {
        std::fprintf(stderr, "usage: sim --seeds N --start S [--trace] [--once] [--holes] [--count] [--no-minimise] [--set \"requests=2 …\"]\n");
        return 2;
    }
    Runner runner;
    Tally tally;
    std::uint64_t broken = 0;
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t seed = arguments.start; seed < arguments.start + arguments.seeds; ++seed) {
        Scenario scenario = Scenario::of(seed);
        if (const auto set = scenario.set(arguments.set); !set) {
            std::fprintf(stderr, "sim: %s\n", set.error().message.c_str());
            return 2;
        }
        Run run = runner.run(scenario, arguments.trace);
        if (run.violation.empty() && !arguments.once) {
            const Run again = runner.run(scenario, false);
            if (again.hash != run.hash) {
                run.violation = "the same seed gives the same trace";
                run.detail = "it does not";
            }
        }
        tally.add(run.tally);
        if (arguments.trace) show(run);
        if (run.violation.empty()) continue;
        ++broken;
        if (arguments.count_only) continue;
        std::printf("\nSEED %llu BREAKS: %s\n  %s\n  %s\n", static_cast<unsigned long long>(seed), run.violation.c_str(),
                    run.detail.c_str(), scenario.text().c_str());
        if (arguments.minimise) {
            const Scenario least = minimised(runner, scenario, run.violation);
            std::printf("  minimised: sim --start %llu --seeds 1 --trace --set \"%s\"\n", static_cast<unsigned long long>(seed),
                        least.difference(Scenario::of(seed)).c_str());
            if (!arguments.trace) show(runner.run(least, true));
        }
        std::fflush(stdout);
        constexpr std::uint64_t k_enough = 10;
        if (broken >= k_enough && !arguments.count_only) {
            std::printf("\n%llu seeds break; that is enough\n", static_cast<unsigned long long>(broken));
            break;
        }
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (arguments.count_only) {
        std::printf("%llu of %llu\n", static_cast<unsigned long long>(broken), static_cast<unsigned long long>(tally.seeds));
        return broken == 0 ? 0 : 1;
    }
    if (!arguments.trace) std::printf("\n%s", tally.table().c_str());
    const auto holes = tally.holes();
    if (arguments.holes) {
        for (const auto& hole : holes) std::printf("never met: %s\n", hole.c_str());
        if (!holes.empty()) ++broken;
    }
    std::printf("%.1f s, %.0f seeds a minute%s; %zu cells never met; %llu broken\n", took,
                static_cast<double>(tally.seeds) / took * 60.0, arguments.once ? "" : " (each twice)", holes.size(),
                static_cast<unsigned long long>(broken));
    return broken == 0 ? 0 : 1;
}
