// The command line of the simulator.
//   sim --seeds N --start S [--trace] [--twice-each K] [--set "requests=2 crashes=0"] [--holes] [--no-minimise] [--count]
//   sim --list FILE      seeds with their settings, one a line: SEED | SETTINGS | why
// Every K-th seed (1: each, 0: none) is lived through twice, and the two traces must be one. --holes: an empty cell of the
// tables is a failure too. --count: only in how many seeds something broke. 0: nothing broke; 1: something did.
#include "tests/sim/minimise.hpp"
#include "tests/sim/runner.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace connector::sim;

struct Arguments {
    std::uint64_t seeds = 1000;
    std::uint64_t start = 1;
    bool trace = false;
    std::uint64_t twice_each = 1;
    bool holes = false;
    bool minimise = true;
    bool count_only = false;
    std::string set;
    std::string list;
};

bool read(int count, char** words, Arguments& arguments) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> const char* { return ++i < count ? words[i] : ""; };
        if (word == "--seeds") arguments.seeds = std::strtoull(value(), nullptr, 10);
        else if (word == "--start") arguments.start = std::strtoull(value(), nullptr, 10);
        else if (word == "--trace") arguments.trace = true;
        else if (word == "--twice-each") arguments.twice_each = std::strtoull(value(), nullptr, 10);
        else if (word == "--list") arguments.list = value();
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

struct Job {
    std::uint64_t seed = 0;
    std::string settings;
};

bool list_jobs(const Arguments& arguments, std::vector<Job>& jobs) {
    if (arguments.list.empty()) {
        for (std::uint64_t i = 0; i < arguments.seeds; ++i) jobs.push_back({arguments.start + i, arguments.set});
        return true;
    }
    std::ifstream file(arguments.list);
    if (!file) {
        std::fprintf(stderr, "sim: %s cannot be read\n", arguments.list.c_str());
        return false;
    }
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.front() == '#') continue;
        const auto bar = line.find('|');
        const auto end = line.find('|', bar == std::string::npos ? bar : bar + 1);
        if (end == std::string::npos) {
            std::fprintf(stderr, "sim: not SEED | SETTINGS | why: %s\n", line.c_str());
            return false;
        }
        jobs.push_back({std::strtoull(line.c_str(), nullptr, 10), line.substr(bar + 1, end - bar - 1)});
    }
    return true;
}

}  // namespace

// The sanitised build remembers where every allocation came from; a simulator allocates too often for that.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "malloc_context_size=1:quarantine_size_mb=8"; }

int main(int count, char** words) {
    Arguments arguments;
    if (!read(count, words, arguments)) {
        std::fprintf(stderr, "usage: sim --seeds N --start S [--trace] [--twice-each K] [--holes] [--count] [--no-minimise] [--set \"requests=2 …\"]\n");
        return 2;
    }
    std::vector<Job> jobs;
    if (!list_jobs(arguments, jobs)) return 2;
    Runner runner;
    Tally tally;
    std::uint64_t broken = 0;
    std::map<std::string, std::uint64_t> broken_by_invariant;
    const auto began = std::chrono::steady_clock::now();
    for (const auto& job : jobs) {
        Scenario scenario = Scenario::of(job.seed);
        if (const auto set = scenario.set(job.settings); !set) {
            std::fprintf(stderr, "sim: %s\n", set.error().message.c_str());
            return 2;
        }
        Run run = runner.run(scenario, arguments.trace);
        if (run.violation.empty() && arguments.twice_each != 0 && job.seed % arguments.twice_each == 0) {
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
        ++broken_by_invariant[run.violation];
        if (arguments.count_only) continue;
        std::printf("\nSEED %llu BREAKS: %s\n  %s\n  %s\n", static_cast<unsigned long long>(job.seed), run.violation.c_str(),
                    run.detail.c_str(), scenario.text().c_str());
        if (arguments.minimise) {
            const Scenario least = minimised(runner, scenario, run.violation);
            std::printf("  minimised: sim --start %llu --seeds 1 --trace --set \"%s\"\n", static_cast<unsigned long long>(job.seed),
                        least.difference(Scenario::of(job.seed)).c_str());
            if (!arguments.trace) show(runner.run(least, true));
        }
        std::fflush(stdout);
        constexpr std::uint64_t k_enough = 10;
        if (broken >= k_enough) {
            std::printf("\n%llu seeds break; that is enough\n", static_cast<unsigned long long>(broken));
            break;
        }
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (arguments.count_only) {
        std::printf("%llu of %llu\n", static_cast<unsigned long long>(broken), static_cast<unsigned long long>(tally.seeds));
        for (const auto& [invariant, times] : broken_by_invariant)
            std::printf("%llu: %s\n", static_cast<unsigned long long>(times), invariant.c_str());
        return broken == 0 ? 0 : 1;
    }
    if (!arguments.trace) std::printf("\n%s", tally.table().c_str());
    const auto holes = tally.holes();
    if (arguments.holes) {
        for (const auto& hole : holes) std::printf("never met: %s\n", hole.c_str());
        if (!holes.empty()) ++broken;
    }
    std::printf("%.1f s, %.0f seeds a minute (every %llu. twice); %zu cells never met; %llu broken\n", took,
                static_cast<double>(tally.seeds) / took * 60.0, static_cast<unsigned long long>(arguments.twice_each), holes.size(),
                static_cast<unsigned long long>(broken));
    return broken == 0 ? 0 : 1;
}
