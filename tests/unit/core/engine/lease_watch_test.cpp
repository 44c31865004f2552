#include "core/engine/lease_watch.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const Tick k_first_look{1h};

// Looks each second from `from` to `to`; how often a stall was found.
int looks(LeaseWatch& watch, Tick from, Tick to, bool wanted = true) {
    int found = 0;
    for (Tick now = from; now <= to; now += 1s) found += watch.look(wanted, now, 30s) ? 1 : 0;
    return found;
}

TEST(LeaseWatch, FindsAStallOnceAndAnAnswerEndsIt) {
    LeaseWatch watch;
    EXPECT_EQ(looks(watch, k_first_look, k_first_look + 209s), 0) << "three minutes, and the wait of a call";
    EXPECT_FALSE(watch.stalled());
    EXPECT_EQ(looks(watch, k_first_look + 210s, k_first_look + 1000s), 1);
    EXPECT_TRUE(watch.stalled());
    watch.answered();
    EXPECT_FALSE(watch.stalled());
    EXPECT_EQ(looks(watch, k_first_look + 1001s, k_first_look + 1210s), 0);
    EXPECT_EQ(looks(watch, k_first_look + 1211s, k_first_look + 1300s), 1) << "the next one is told as well";
}

TEST(LeaseWatch, AnswersInBetweenAreNoStall) {
    LeaseWatch watch;
    for (Tick now = k_first_look; now < k_first_look + 1h; now += 200s) {
        EXPECT_EQ(looks(watch, now, now + 199s), 0);
        watch.answered();
    }
}

TEST(LeaseWatch, WaitsForNothingWhereNothingMayBeLeased) {
    LeaseWatch watch;
    EXPECT_EQ(looks(watch, k_first_look, k_first_look + 1h, false), 0);
    EXPECT_EQ(looks(watch, k_first_look + 1h, k_first_look + 1h + 209s), 0) << "counted from when it may be";
    EXPECT_EQ(looks(watch, k_first_look + 1h + 210s, k_first_look + 1h + 211s), 1);
    EXPECT_FALSE(watch.look(false, k_first_look + 2h, 30s));
    EXPECT_FALSE(watch.stalled());
}

TEST(LeaseWatch, AProcessThatSleptHasNotBeenLeftWaiting) {
    LeaseWatch watch;
    EXPECT_EQ(looks(watch, k_first_look, k_first_look + 100s), 0);
    EXPECT_FALSE(watch.look(true, k_first_look + 5h, 30s));
    EXPECT_EQ(looks(watch, k_first_look + 5h + 1s, k_first_look + 5h + 209s), 0);
    EXPECT_EQ(looks(watch, k_first_look + 5h + 210s, k_first_look + 5h + 210s), 1) << "and is left waiting now";
}

}  // namespace
}  // namespace connector::engine
