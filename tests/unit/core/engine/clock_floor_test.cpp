// The clock against the newest time seen.
#include "core/engine/clock_floor.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const UtcTime k_newest = samples::at("2026-11-01T12:00:00Z");

ClockFloor floor() {
    ClockFloor floor;
    floor.noted(k_newest);
    return floor;
}

TEST(ClockFloor, minutes_are_nothing_a_day_is_told_and_more_stops) {
    using State = ClockFloor::State;
    EXPECT_EQ(floor().judge(k_newest + 24h * 365), State::good) << "time passes";
    EXPECT_EQ(floor().judge(k_newest - 10min), State::good);
    EXPECT_EQ(floor().judge(k_newest - 10min - 1s), State::behind);
    EXPECT_EQ(floor().judge(k_newest - 24h), State::behind);
    EXPECT_EQ(floor().judge(k_newest - 24h - 1s), State::held);
    EXPECT_EQ(floor().judge(samples::at("1970-01-01T00:00:00Z")), State::held);
    EXPECT_EQ(ClockFloor().judge(samples::at("2000-01-01T00:00:00Z")), State::good) << "nothing was seen yet";
}

TEST(ClockFloor, nothing_is_valid_again_that_was_over) {
    EXPECT_EQ(floor().at_least(k_newest - 12h), k_newest - 10min);
    EXPECT_EQ(floor().at_least(k_newest + 1s), k_newest + 1s);
    EXPECT_EQ(floor().at_least(k_newest - 3min), k_newest - 3min) << "a clock that is corrected by a little";
}

TEST(ClockFloor, is_written_every_ten_minutes) {
    EXPECT_FALSE(floor().to_note(k_newest + 9min));
    EXPECT_TRUE(floor().to_note(k_newest + 10min));
    EXPECT_FALSE(floor().to_note(k_newest - 24h));
}

}  // namespace
}  // namespace connector::engine
