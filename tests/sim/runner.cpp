#include "tests/sim/runner.hpp"

#include "tests/sim/world.hpp"

#include <unistd.h>

#include <system_error>

namespace connector::sim {

namespace fs = std::filesystem;

Runner::Runner() {
    const fs::path memory = "/dev/shm";
    std::error_code ignored;
    folder_ = (fs::is_directory(memory, ignored) ? memory : fs::temp_directory_path()) / ("connector-sim-" + std::to_string(::getpid()));
    fs::remove_all(folder_, ignored);
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
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
