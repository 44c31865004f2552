#include "tests/sim/runner.hpp"

#include "tests/sim/world.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>

namespace connector::sim {

namespace fs = std::filesystem;

Runner::Runner() {
    const fs::path memory = "/dev/shm";
    std::error_code ignored;
    const fs::path parent = fs::is_directory(memory, ignored) ? memory : fs::temp_directory_path();
    std::string name = (parent / "connector-sim-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
        throw std::runtime_error("no folder for the simulator in " + parent.string());
    folder_ = name;
}

Runner::~Runner() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

Run Runner::run(const Scenario& scenario, bool keep_trace, const std::function<void(World&)>& prepare) {
    Run run;
    World world(scenario, folder_ / std::to_string(++runs_), keep_trace);
    if (prepare) prepare(world);
    world.run();
    run.hash = world.trace.hash();
    run.trace = world.trace.lines();
    run.tally = world.tally;
    run.sweep_calls = world.sweep_calls;
    if (!world.judge.violations().empty()) {
        run.violation = world.judge.violations().front().invariant;
        run.detail = world.judge.violations().front().detail;
    }
    return run;
}

}  // namespace connector::sim
