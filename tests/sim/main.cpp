// The command line of the simulator.
//   sim --seeds N --start S [--jobs J] [--trace] [--twice-each K] [--set "requests=2 crashes=0"] [--holes]
//   [--no-minimise] [--count] [--attacked]
//   sim --list FILE      seeds with their settings, one a line: SEED | SETTINGS | why
// Every K-th seed (1: each, 0: none) is lived through twice, and the two traces must be one. --holes: an empty cell of
// the tables is a failure too. --count: only in how many seeds something broke. --jobs: so many seeds side by side,
// each in a world of its own. --attacked: the service in an attacker's hand; the empty cells are then the arts that he
// never practised. 0: nothing broke; 1: something did.
#include "tests/sim/attacker.hpp"
#include "tests/sim/minimise.hpp"
#include "tests/sim/runner.hpp"

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace connector::sim;

struct Arguments {
    std::uint64_t seeds = 1000;
    std::uint64_t start = 1;
    bool trace = false;
    std::uint64_t twice_each = 1;
    std::uint64_t jobs = 1;
    bool holes = false;
    bool attacked = false;
    bool minimise = true;
    bool count_only = false;
    std::string set;
    std::string list;
};

bool read(int count, char** words, Arguments& arguments) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> const char* { return ++i < count ? words[i] : ""; };
        if (word == "--seeds")
            arguments.seeds = std::strtoull(value(), nullptr, 10);
        else if (word == "--start")
            arguments.start = std::strtoull(value(), nullptr, 10);
        else if (word == "--trace")
            arguments.trace = true;
        else if (word == "--jobs")
            arguments.jobs = std::strtoull(value(), nullptr, 10);
        else if (word == "--twice-each")
            arguments.twice_each = std::strtoull(value(), nullptr, 10);
        else if (word == "--list")
            arguments.list = value();
        else if (word == "--holes")
            arguments.holes = true;
        else if (word == "--no-minimise")
            arguments.minimise = false;
        else if (word == "--count")
            arguments.count_only = true;
        else if (word == "--attacked")
            arguments.attacked = true;
        else if (word == "--set")
            arguments.set = value();
        else
            return false;
    }
    return true;
}

void show(const std::vector<std::string>& trace) {
    for (const auto& line : trace) std::printf("  %s\n", line.c_str());
}

struct Job {
    std::uint64_t seed = 0;
    Scenario scenario;
};

bool add_job(std::vector<Job>& jobs, std::uint64_t seed, bool attacked, const std::string& settings) {
    Job job{seed, attacked ? Scenario::attacked(seed) : Scenario::of(seed)};
    if (const auto set = job.scenario.set(settings); !set) {
        std::fprintf(stderr, "sim: %s\n", set.error().message.c_str());
        return false;
    }
    jobs.push_back(std::move(job));
    return true;
}

bool list_jobs(const Arguments& arguments, std::vector<Job>& jobs) {
    if (arguments.list.empty()) {
        for (std::uint64_t i = 0; i < arguments.seeds; ++i)
            if (!add_job(jobs, arguments.start + i, arguments.attacked, arguments.set)) return false;
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
        if (!add_job(jobs, std::strtoull(line.c_str(), nullptr, 10), false, line.substr(bar + 1, end - bar - 1)))
            return false;
    }
    return true;
}

std::vector<std::string> unpractised(const Tally& tally) {
    std::vector<std::string> arts;
    for (const auto art : Attacker::all_arts())
        if (!tally.attacks.contains(std::string(art))) arts.emplace_back(art);
    return arts;
}

// All jobs, by so many hands.
class Runs {
public:
    Runs(const Arguments& arguments, std::vector<Job> jobs) : arguments_(arguments), jobs_(std::move(jobs)) {}

    void all() {
        std::vector<std::jthread> hands;
        for (std::uint64_t i = 1; i < arguments_.jobs; ++i) hands.emplace_back([this] { work(); });
        work();
    }

    Tally tally;
    std::uint64_t broken = 0;
    std::map<std::string, std::uint64_t> broken_by_invariant;

private:
    static constexpr std::uint64_t k_enough = 10;

    void work() {
        Runner runner;
        while (!enough_) {
            const auto next = next_++;
            if (next >= jobs_.size()) return;
            live(runner, jobs_[next]);
        }
    }

    void live(Runner& runner, const Job& job) {
        Run run = runner.run(job.scenario, arguments_.trace);
        if (run.violation.empty() && arguments_.twice_each != 0 && job.seed % arguments_.twice_each == 0) {
            const Run again = runner.run(job.scenario, false);
            if (again.hash != run.hash) {
                run.violation = "the same seed gives the same trace";
                run.detail = "it does not";
            }
        }
        std::vector<std::string> least_trace;
        std::string least_settings;
        if (!run.violation.empty() && !arguments_.count_only && arguments_.minimise) {
            const Scenario least = minimised(runner, job.scenario, run.violation);
            least_settings = least.difference(Scenario::of(job.seed));
            if (!arguments_.trace) least_trace = runner.run(least, true).trace;
        }
        const std::lock_guard lock(mutex_);
        tally.add(run.tally);
        if (arguments_.trace) show(run.trace);
        if (run.violation.empty()) return;
        ++broken;
        ++broken_by_invariant[run.violation];
        if (arguments_.count_only) return;
        std::printf("\nSEED %llu BREAKS: %s\n  %s\n  %s\n", static_cast<unsigned long long>(job.seed),
                    run.violation.c_str(), run.detail.c_str(), job.scenario.text().c_str());
        if (arguments_.minimise)
            std::printf("  minimised: sim --start %llu --seeds 1 --trace --set \"%s\"\n",
                        static_cast<unsigned long long>(job.seed), least_settings.c_str());
        show(least_trace);
        std::fflush(stdout);
        enough_ = broken >= k_enough;
    }

    const Arguments& arguments_;
    const std::vector<Job> jobs_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> enough_{false};
    std::mutex mutex_;
};

}  // namespace

// The sanitised build remembers where every allocation came from; a simulator allocates too often for that.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "malloc_context_size=1:quarantine_size_mb=8";
}

int main(int count, char** words) {
    Arguments arguments;
    if (!read(count, words, arguments)) {
        std::fprintf(stderr,
                     "usage: sim --seeds N --start S [--jobs J] [--trace] [--twice-each K] [--holes] [--count] "
                     "[--no-minimise] [--attacked] [--set \"requests=2 …\"]\n");
        return 2;
    }
    std::vector<Job> jobs;
    if (!list_jobs(arguments, jobs)) return 2;
    // Nobody else opens these files: without the system's locks a seed is through sooner.
    sqlite3_vfs_register(sqlite3_vfs_find("unix-excl"), 1);
    const auto began = std::chrono::steady_clock::now();
    Runs runs(arguments, std::move(jobs));
    runs.all();
    const auto& tally = runs.tally;
    auto broken = runs.broken;
    if (tally.seeds < arguments.seeds && arguments.list.empty())
        std::printf("\n%llu seeds break; that is enough\n", static_cast<unsigned long long>(broken));
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (arguments.count_only) {
        std::printf("%llu of %llu\n", static_cast<unsigned long long>(broken),
                    static_cast<unsigned long long>(tally.seeds));
        for (const auto& [invariant, times] : runs.broken_by_invariant)
            std::printf("%llu: %s\n", static_cast<unsigned long long>(times), invariant.c_str());
        return broken == 0 ? 0 : 1;
    }
    if (!arguments.trace) std::printf("\n%s", tally.table().c_str());
    if (arguments.attacked) std::printf("\n%s", tally.attack_table().c_str());
    const auto holes = arguments.attacked ? unpractised(tally) : tally.holes();
    if (arguments.holes) {
        for (const auto& hole : holes) std::printf("never met: %s\n", hole.c_str());
        if (!holes.empty()) ++broken;
    }
    std::printf("%.1f s, %.0f seeds a minute (every %llu. twice); %zu cells never met; %llu broken\n", took,
                static_cast<double>(tally.seeds) / took * 60.0, static_cast<unsigned long long>(arguments.twice_each),
                holes.size(), static_cast<unsigned long long>(broken));
    return broken == 0 ? 0 : 1;
}
