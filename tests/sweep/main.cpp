// Every write, every failure: each path is gone again with its i-th call to the ledger, the service or the authority
// failing, for every i and every way to fail. After each the orders must have ended as without the failure, and every
// invariant of the simulator must hold.
//   sweep [--trace] [--path WORDS] [--once]   0: nothing broke; 1: something did.
// --path: those whose name begins so. --once: without a fault.
#include "tests/sim/runner.hpp"
#include "tests/sweep/paths.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace connector::sim;

struct Kind {
    std::string_view name;
    std::uint64_t number;
    std::array<std::string_view, 7> ways;
    std::uint64_t Least::*least;
};

constexpr std::string_view k_quiet =
    "requests=1 connectors=1 authorities=1 faults_until=20 lease_seconds=900 network=0 statuses=0 quirks=0 disk=0 "
    "authority_faults=0 authority_verdicts=0 crashes=0 stops=0 clock_jumps=0 outages=0 key_changes=0 blocks=0 "
    "tight_limits=0 slow_work=0 imports=0 withdraws=0 binding=0 finds=0 idempotent=0 revokes=1 repeats=0 slow_disk=0 "
    "again=0 crowd=0 ";
constexpr std::string_view k_disk_full = "disk full";
constexpr std::string_view k_io_error = "I/O error";
constexpr std::array k_kinds{
    Kind{"ledger", 0, {k_disk_full, k_io_error, "crash before", "crash after", "", "", ""}, &Least::ledger},
    Kind{"service",
         1,
         {"request lost", "reply lost", "500", "401", "duplicated", "crash before", "crash after"},
         &Least::service},
    Kind{"authority",
         2,
         {"request lost", "reply lost", "refused connection", "credential refused", "crash before", "crash after", ""},
         &Least::authority},
};

struct Arguments {
    bool trace = false;
    bool once = false;
    std::string_view path;
};

class Sweep {
public:
    explicit Sweep(const Arguments& arguments) : arguments_(arguments) {}

    [[nodiscard]] int all() {
        for (const auto& path : paths()) {
            if (!path.name.starts_with(arguments_.path)) continue;
            without_a_fault(path);
            if (!arguments_.once)
                for (const auto& kind : k_kinds) one_kind(path, kind);
        }
        std::printf("%llu runs, %llu broken\n", runs_, broken_);
        return broken_ == 0 && runs_ != 0 ? 0 : 1;
    }

private:
    [[nodiscard]] Run go(const Path& path, std::uint64_t kind, std::uint64_t how, std::uint64_t step) {
        Scenario scenario = Scenario::of(path.seed);
        if (const auto set = scenario.set(std::string(k_quiet) + std::string(path.settings)); !set) {
            Run bad;
            bad.violation = set.error().message;
            return bad;
        }
        scenario.sweep_kind = kind;
        scenario.sweep_how = how;
        scenario.sweep_step = step;
        ++runs_;
        return runner_.run(scenario, arguments_.trace, path.prepare);
    }

    [[nodiscard]] static std::string fault_of(const Path& path, const Run& run) {
        if (!run.violation.empty()) return run.violation + ": " + run.detail;
        const auto& tally = run.tally;
        const auto ended_so = [&tally](const Ending& ending) {
            return tally.delivered == ending.delivered && tally.completed == ending.completed &&
                   tally.failed == ending.failed && tally.cancelled == ending.cancelled;
        };
        if (ended_so(path.ending) || (path.other && ended_so(*path.other))) return {};
        return "it did not end as it should: " + std::to_string(tally.delivered) + " delivered, " +
               std::to_string(tally.completed) + " completed, " + std::to_string(tally.failed) + " failed, " +
               std::to_string(tally.cancelled) + " cancelled";
    }

    void tell(const Path& path, const std::string& where, const std::string& fault, const Run& run) {
        ++broken_;
        std::printf("BROKEN %s, %s: %s\n", path.name.data(), where.c_str(), fault.c_str());
        for (const auto& line : run.trace) std::printf("    %s\n", line.c_str());
    }

    void without_a_fault(const Path& path) {
        const Run run = go(path, 0, 0, 0);
        auto fault = fault_of(path, run);
        if (fault.empty() && (run.tally.issued != path.issued || run.tally.revoked != path.revoked))
            fault = std::to_string(run.tally.issued) + " certificates issued and " + std::to_string(run.tally.revoked) +
                    " revoked, not " + std::to_string(path.issued) + " and " + std::to_string(path.revoked);
        if (!fault.empty())
            tell(path, "no fault at all", fault, run);
        else if (arguments_.once && arguments_.trace)
            for (const auto& line : run.trace) std::printf("    %s\n", line.c_str());
    }

    void one_kind(const Path& path, const Kind& kind) {
        std::string line;
        std::uint64_t fewest = ~std::uint64_t{0};
        for (std::size_t how = 0; how < kind.ways.size() && !kind.ways[how].empty(); ++how) {
            const auto way = kind.ways[how];
            std::uint64_t steps = 0;
            for (std::uint64_t step = 1;; ++step) {
                const Run run = go(path, kind.number, how, step);
                const bool struck = run.sweep_calls >= step;
                if (!struck && run.violation.empty()) break;
                ++steps;
                auto fault = fault_of(path, run);
                const bool only_the_disk = way == k_disk_full || way == k_io_error;
                if (fault.empty() && path.one_certificate && only_the_disk && run.tally.issued != path.issued)
                    fault = std::to_string(run.tally.issued) + " certificates were issued";
                if (!fault.empty())
                    tell(path, std::string(kind.name) + " call " + std::to_string(step) + ", " + std::string(way),
                         fault, run);
                if (!struck) break;
            }
            line += (line.empty() ? "" : ", ") + std::string(way) + " " + std::to_string(steps);
            fewest = std::min(fewest, steps);
        }
        std::printf("%-40s %-10s %s\n", path.name.data(), kind.name.data(), line.c_str());
        if (fewest < path.least.*kind.least) {
            std::printf("BROKEN %s, %s: only %llu calls were swept, at least %llu belong to it\n", path.name.data(),
                        kind.name.data(), static_cast<unsigned long long>(fewest),
                        static_cast<unsigned long long>(path.least.*kind.least));
            ++broken_;
        }
    }

    const Arguments arguments_;
    Runner runner_;
    unsigned long long runs_ = 0;
    unsigned long long broken_ = 0;
};

}  // namespace

int main(int count, char** words) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--trace")
            arguments.trace = true;
        else if (word == "--once")
            arguments.once = true;
        else if (word == "--path" && i + 1 < count)
            arguments.path = words[++i];
        else {
            std::fprintf(stderr, "sweep: what is %s? See the head of tests/sweep/main.cpp\n", words[i]);
            return 2;
        }
    }
    return Sweep(arguments).all();
}
