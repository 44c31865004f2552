// Every I/O call of a happy path through the real ledger fails once, and the machine loses its power at each of them.
// After each: what was answered well is there, what was not is there as a whole or not at all, nothing is taken for
// tampering, and the rest of the path goes on to the same end.
// What stands in the file after each step is learnt from a run without a fault.
#include "sweep/storage/life.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

namespace connector::sweep {
namespace {

using storage::test::Folder;

int g_checkpoint_pages = 0;

// Runs for every connection that is opened: how often SQLite takes in its log is the machine's matter, not the
// ledger's.
int set_checkpoint(sqlite3* database, const char** /*message*/, const void* /*routines*/) {
    return g_checkpoint_pages == 0 ? SQLITE_OK : sqlite3_wal_autocheckpoint(database, g_checkpoint_pages);
}

// Where a scenario begins, and what stands in the file after each of its steps.
struct Course {
    Image begin;
    Life::Known known;              // at the first opening
    std::vector<std::string> rows;  // rows[0]: after the first opening; rows[i + 1]: after step i
};

class StorageSweep : public ::testing::Test {
protected:
    static void SetUpTestSuite() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(set_checkpoint)); }
    void TearDown() override { g_checkpoint_pages = 0; }

    Course course_of(const Scenario& wanted) {
        Image image;
        for (const auto& scenario : scenarios()) {
            // What a kill leaves, of the steps before: all that was written, and the log not taken in.
            if (scenario.hot) image = hot_;
            if (scenario.name == wanted.name) return walk(scenario, image);
            image = walk_to_end(scenario, image);
        }
        throw std::runtime_error("no such scenario");
    }

    // One try. "" or what was found to be wrong.
    struct Tried {
        std::string complaint;
        bool struck = false;
        bool failed = false;  // a step was answered badly
        int calls = 0;
    };
    enum class Then { goes_on, restarts };
    Tried attempt(const Scenario& scenario, const Course& course, Fault fault, int at, Then then, Survivors survivors,
                  std::uint64_t seed, bool lies = false);
    void sweep(const Scenario& scenario, Fault fault, Then then, Survivors survivors = Survivors::all,
               std::uint64_t seeds = 1);

    Folder folder_;

private:
    Image walk_to_end(const Scenario& scenario, const Image& image) {
        Life life(folder_.path(), image);
        g_checkpoint_pages = scenario.checkpoint_pages;
        for (const auto& step : scenario.steps) {
            if (step.name == "close") hot_ = life.disk().image(Survivors::all, 0);
            const auto done = step.run(life);
            if (!done) throw std::runtime_error(scenario.name + ", " + step.name + ": " + done.error().message);
        }
        life.close();
        return life.disk().image(Survivors::none, 0);
    }
    Course walk(const Scenario& scenario, const Image& image) {
        Life life(folder_.path(), image);
        g_checkpoint_pages = scenario.checkpoint_pages;
        Course course{image, {}, {}};
        auto& rows = course.rows;
        for (const auto& step : scenario.steps) {
            const auto done = step.run(life);
            if (!done) throw std::runtime_error(scenario.name + ", " + step.name + ": " + done.error().message);
            if (rows.empty()) {
                rows.push_back(life.rows());
                course.known = life.known();
            }
            rows.push_back(life.is_open() ? life.rows() : rows.back());
        }
        return course;
    }
    Image hot_;
};

StorageSweep::Tried StorageSweep::attempt(const Scenario& scenario, const Course& course, Fault fault, int at,
                                          Then then, Survivors survivors, std::uint64_t seed, bool lies) {
    Life life(folder_.path(), course.begin);
    if (!course.begin.empty()) life.know(course.known);
    Tried tried;
    if (lies) life.disk().lie();
    life.disk().arm(fault, at);
    const auto& steps = scenario.steps;
    std::size_t next = 0;
    for (; next < steps.size(); ++next) {
        const auto done = steps[next].run(life);
        if (done) continue;
        if (!tried.failed && fault != Fault::none && done.error().kind != ErrorKind::unavailable) {
            tried.complaint = "an I/O fault in " + steps[next].name + " is told as " +
                              std::string(to_string(done.error().kind)) + " " + done.error().code + ": " +
                              done.error().message;
        }
        tried.failed = true;
        break;
    }
    tried.calls = life.disk().calls();
    tried.struck = life.disk().struck();
    life.disk().heal();
    if (!tried.complaint.empty()) return tried;
    const auto at_step = [&] {
        return next < steps.size() ? " (" + steps[next].name + ")" : std::string(" (the end)");
    };
    const auto wrong = [&](const std::string& what) {
        tried.complaint = what + at_step();
        return tried;
    };

    // Before anything is tried again.
    const bool machine_lost = fault == Fault::power_cut || then == Then::restarts;
    if (machine_lost) life.restart(survivors, seed);
    if (!life.is_open()) {
        if (auto opened = life.open(); !opened) return wrong("cannot be opened again: " + opened.error().message);
    }
    if (const auto complaint = life.complaint(); !complaint.empty()) return wrong(complaint);
    const auto found = life.rows();
    bool is_there = found == course.rows[std::min(next + 1, steps.size())];
    const bool is_not = found == course.rows[next];
    const bool half_a_group = !life.done.empty() && !machine_lost;
    if (!is_there && !is_not && !half_a_group && next < steps.size() && !steps[next].name.starts_with("group"))
        return wrong("half of it is there, or what was answered well is not");
    const bool in_pieces = next < steps.size() && steps[next].in_pieces;
    if (!machine_lost && is_there && !is_not && !in_pieces) return wrong("answered as a failure, and done");

    // Once the fault is gone it goes on to the same end, with no help.
    if (is_there && !is_not && next < steps.size()) ++next;
    for (; next < steps.size(); ++next) {
        if (steps[next].name == "open" && life.is_open()) continue;
        if (const auto done = steps[next].run(life); !done)
            return wrong("the fault is gone, and yet: " + done.error().message);
    }
    // What was answered well since has to outlive the power too, and an unsynced write of before must not come back.
    if (fault == Fault::lost_sync || fault == Fault::fails) life.restart(Survivors::none, seed);
    if (!life.is_open()) {
        if (auto opened = life.open(); !opened) return wrong("cannot be opened at the end: " + opened.error().message);
    }
    if (const auto complaint = life.complaint(); !complaint.empty()) return wrong("at the end: " + complaint);
    if (life.rows() != course.rows.back()) return wrong("at the end something else stands there than without a fault");
    return tried;
}

void StorageSweep::sweep(const Scenario& scenario, Fault fault, Then then, Survivors survivors, std::uint64_t seeds) {
    const auto course = course_of(scenario);
    int swept = 0;
    int answered_badly = 0;
    int found = 0;
    for (int at = 1;; ++at) {
        bool struck = false;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            const auto tried =
                attempt(scenario, course, fault, at, then, survivors, seed + static_cast<std::uint64_t>(at) * 1000);
            struck = struck || tried.struck;
            answered_badly += tried.failed ? 1 : 0;
            if (tried.complaint.empty()) continue;
            if (++found <= 3)
                ADD_FAILURE() << scenario.name << ", " << to_string(fault) << " at call " << at << ", seed " << seed
                              << ": " << tried.complaint;
        }
        if (!struck) break;
        ++swept;
    }
    std::cout << "[ swept    ] " << scenario.name << ", " << to_string(fault)
              << (fault == Fault::power_cut || then == Then::restarts ? ", started again" : ", goes on") << ": "
              << swept << " calls, " << answered_badly << " tries answered badly, " << found << " findings\n";
    EXPECT_GT(swept, 0);
    EXPECT_GT(answered_badly, 0);
    EXPECT_EQ(found, 0);
}

class Each : public StorageSweep, public ::testing::WithParamInterface<std::size_t> {
protected:
    [[nodiscard]] static const Scenario& scenario() { return scenarios()[GetParam()]; }
};

TEST_P(Each, CallFailsAndTheProcessGoesOn) {
    sweep(scenario(), Fault::fails, Then::goes_on);
}
TEST_P(Each, CallFailsAndTheProcessEnds) {
    sweep(scenario(), Fault::fails, Then::restarts);
}
TEST_P(Each, AllCallsFailUntilTheDiskIsBack) {
    sweep(scenario(), Fault::stays, Then::goes_on);
}
TEST_P(Each, WriteFindsTheDiskFull) {
    sweep(scenario(), Fault::full, Then::goes_on);
}
TEST_P(Each, WriteFindsTheDiskFullAndTheProcessEnds) {
    sweep(scenario(), Fault::full, Then::restarts);
}
TEST_P(Each, WriteIsTornAndTheProcessGoesOn) {
    sweep(scenario(), Fault::torn, Then::goes_on);
}
TEST_P(Each, WriteIsTornAndTheProcessEnds) {
    sweep(scenario(), Fault::torn, Then::restarts);
}
TEST_P(Each, SyncFailsAndWhatItWasForIsLost) {
    sweep(scenario(), Fault::lost_sync, Then::goes_on);
}
TEST_P(Each, AnotherProcessHoldsALock) {
    sweep(scenario(), Fault::locked, Then::goes_on);
}
TEST_P(Each, PowerCutLosesWhatWasNotSynced) {
    sweep(scenario(), Fault::power_cut, Then::restarts, Survivors::none);
}
TEST_P(Each, PowerCutLosesAPartOfWhatWasNotSynced) {
    sweep(scenario(), Fault::power_cut, Then::restarts, Survivors::some, 3);
}
TEST_P(Each, ProcessIsKilled) {
    sweep(scenario(), Fault::power_cut, Then::restarts, Survivors::all);
}

INSTANTIATE_TEST_SUITE_P(Scenario, Each, ::testing::Range(std::size_t{0}, scenarios().size()), [](const auto& one) {
    auto name = scenarios()[one.param].name;
    std::ranges::replace(name, ' ', '_');
    return name;
});

// The sweep itself: a disk whose xSync does nothing must be found out, or none of the above means anything.
TEST_F(StorageSweep, ADiskThatLiesAboutItsSyncsIsFoundOut) {
    const auto& scenario = scenarios()[2];
    const auto course = course_of(scenario);
    int found = 0;
    for (int at = 1;; ++at) {
        const auto tried = attempt(scenario, course, Fault::power_cut, at, Then::restarts, Survivors::none, 1, true);
        if (!tried.struck) break;
        found += tried.complaint.empty() ? 0 : 1;
    }
    std::cout << "[ swept    ] found with a lying disk: " << found << "\n";
    EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace connector::sweep
