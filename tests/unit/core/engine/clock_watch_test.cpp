#include "core/engine/clock_watch.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const UtcTime k_utc{std::chrono::seconds{1'790'000'000}};
const Tick k_tick{1h};

TEST(ClockWatch, SeesAJumpAndNotTheTimeThatPasses) {
    ClockWatch watch(k_utc, k_tick);
    EXPECT_FALSE(watch.look(k_utc + 3600s, k_tick + 3600s));
    EXPECT_FALSE(watch.look(k_utc + 3659s, k_tick + 3600s)) << "below a minute";
    EXPECT_EQ(watch.look(k_utc + 3659s + 86400s, k_tick + 3600s), 86400s);
    EXPECT_FALSE(watch.look(k_utc + 3660s + 86400s, k_tick + 3601s)) << "told once";
    EXPECT_EQ(watch.look(k_utc, k_tick + 3601s), -(3660s + 86400s));
}

TEST(ClockWatch, BelievesNothingBeforeTheServiceHasAnswered) {
    ClockWatch watch(k_utc, k_tick);
    EXPECT_FALSE(watch.believed());
    watch.compare(k_utc + 5s, k_utc);
    EXPECT_TRUE(watch.believed());
    EXPECT_EQ(watch.skew(), -5s);
}

TEST(ClockWatch, AServiceWithoutDateLeavesUsWithOurOwn) {
    ClockWatch watch(k_utc, k_tick);
    watch.compare(std::nullopt, k_utc);
    EXPECT_TRUE(watch.believed());
}

TEST(ClockWatch, AJumpEndsTheBeliefUntilTheNextAnswer) {
    ClockWatch watch(k_utc, k_tick);
    watch.compare(k_utc, k_utc);
    EXPECT_TRUE(watch.look(k_utc + std::chrono::days{365}, k_tick));
    EXPECT_FALSE(watch.believed()) << "nothing may end by age now";
    watch.compare(k_utc, k_utc + 10s);
    EXPECT_TRUE(watch.believed());
}

TEST(ClockWatch, TellsASkewOnceUntilItIsMended) {
    ClockWatch watch(k_utc, k_tick);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_utc, k_utc + 90s);
    EXPECT_TRUE(watch.skew_to_tell());
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_utc, k_utc + 40s);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_utc, k_utc + 1s);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_utc, k_utc - 61s);
    EXPECT_TRUE(watch.skew_to_tell());
}

}  // namespace
}  // namespace connector::engine
