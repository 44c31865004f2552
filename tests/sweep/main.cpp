// Every write, every failure: the happy path of each kind is run again with its i-th call to the ledger, the service or
// the authority failing, for every i and every way to fail. After each the order must have ended as without the failure,
// and every invariant of the simulator must hold.
//   sweep [--trace]      0: nothing broke; 1: something did.
#include "tests/sim/runner.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using namespace connector::sim;

struct Path {
    std::string_view name;
    std::string_view settings;
    std::uint64_t delivered;
    std::uint64_t completed;
};
struct Kind {
    std::string_view name;
    std::uint64_t number;
    std::array<std::string_view, 7> ways;
};

constexpr std::string_view k_quiet =
    "requests=1 connectors=1 authorities=1 faults_until=20 lease_seconds=900 network=0 statuses=0 quirks=0 disk=0 "
    "authority_faults=0 authority_verdicts=0 crashes=0 stops=0 clock_jumps=0 outages=0 key_changes=0 blocks=0 "
    "tight_limits=0 slow_work=0 revokes=1 ";

// An authority that can search, one that knows a repeated submission, one that can neither but is asked once.
constexpr std::array k_paths{
    Path{"pkcs.issue, authority searches", "imports=0 withdraws=0 binding=0 finds=1 idempotent=0", 1, 0},
    Path{"pkcs.issue, authority is idempotent", "imports=0 withdraws=0 binding=2 finds=0 idempotent=1", 1, 0},
    Path{"pfx.deliver", "imports=1000 withdraws=0 binding=0 finds=1 idempotent=1", 1, 0},
};
constexpr std::array k_kinds{
    Kind{"ledger", 0, {"disk full", "I/O error", "crash before", "crash after", "", "", ""}},
    Kind{"service", 1, {"request lost", "reply lost", "500", "401", "duplicated", "crash before", "crash after"}},
    Kind{"authority", 2, {"request lost", "reply lost", "refused connection", "credential refused", "crash before", "crash after", ""}},
};

}  // namespace

int main(int count, char** words) {
    const bool trace = count > 1 && std::strcmp(words[1], "--trace") == 0;
    Runner runner;
    std::uint64_t runs = 0;
    std::uint64_t broken = 0;
    for (const auto& path : k_paths) {
        // A person with history, so that an import delivers something: the seed decides.
        constexpr std::uint64_t k_seed = 4;
        for (const auto& kind : k_kinds) {
            for (std::size_t how = 0; how < kind.ways.size() && !kind.ways[how].empty(); ++how) {
                std::uint64_t steps = 0;
                for (std::uint64_t step = 1;; ++step) {
                    Scenario scenario = Scenario::of(k_seed);
                    const auto set = scenario.set(std::string(k_quiet) + std::string(path.settings));
                    if (!set) {
                        std::fprintf(stderr, "sweep: %s\n", set.error().message.c_str());
                        return 2;
                    }
                    scenario.sweep_kind = kind.number;
                    scenario.sweep_how = how;
                    scenario.sweep_step = step;
                    const Run run = runner.run(scenario, trace);
                    if (run.sweep_calls < step) break;
                    ++runs;
                    ++steps;
                    std::string fault = run.violation.empty() ? "" : run.violation + ": " + run.detail;
                    if (fault.empty() && (run.tally.delivered != path.delivered || run.tally.completed != path.completed))
                        fault = "it did not end as without the failure";
                    if (fault.empty()) continue;
                    ++broken;
                    std::printf("%s, %s call %llu, %s: %s\n", path.name.data(), kind.name.data(), static_cast<unsigned long long>(step),
                                kind.ways[how].data(), fault.c_str());
                    for (const auto& line : run.trace) std::printf("    %s\n", line.c_str());
                }
                std::printf("%-36s %-10s %-20s %4llu steps\n", path.name.data(), kind.name.data(), kind.ways[how].data(),
                            static_cast<unsigned long long>(steps));
                if (steps == 0 && !(path.name == "pfx.deliver" && kind.number == 2)) {
                    std::printf("  nothing was swept\n");
                    ++broken;
                }
            }
        }
    }
    std::printf("%llu runs, %llu broken\n", static_cast<unsigned long long>(runs), static_cast<unsigned long long>(broken));
    return broken == 0 ? 0 : 1;
}
