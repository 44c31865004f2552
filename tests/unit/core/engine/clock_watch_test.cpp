#include "core/engine/clock_watch.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const UtcTime k_noon{std::chrono::seconds{1'790'000'000}};
const Tick k_tick{1h};

TEST(ClockWatch, SeesAJumpAndNotTheTimeThatPasses) {
    ClockWatch watch(k_noon, k_tick);
    EXPECT_FALSE(watch.look(k_noon + 3600s, k_tick + 3600s));
    EXPECT_FALSE(watch.look(k_noon + 3659s, k_tick + 3600s)) << "below a minute";
    EXPECT_EQ(watch.look(k_noon + 3659s + 86400s, k_tick + 3600s), 86400s);
    EXPECT_FALSE(watch.look(k_noon + 3660s + 86400s, k_tick + 3601s)) << "told once";
    EXPECT_EQ(watch.look(k_noon, k_tick + 3601s), -(3660s + 86400s));
}

TEST(ClockWatch, BelievesNothingBeforeTheServiceHasAnswered) {
    ClockWatch watch(k_noon, k_tick);
    EXPECT_FALSE(watch.believed(k_noon, k_tick));
    watch.compare(k_noon + 5s, k_noon);
    EXPECT_TRUE(watch.believed(k_noon, k_tick));
    EXPECT_EQ(watch.skew(), -5s);
}

TEST(ClockWatch, AServiceWithoutDateLeavesUsWithOurOwn) {
    ClockWatch watch(k_noon, k_tick);
    watch.compare(std::nullopt, k_noon);
    EXPECT_TRUE(watch.believed(k_noon, k_tick));
}

TEST(ClockWatch, AJumpEndsTheBeliefUntilTheNextAnswer) {
    ClockWatch watch(k_noon, k_tick);
    watch.compare(k_noon, k_noon);
    const auto ahead = k_noon + std::chrono::days{365};
    EXPECT_TRUE(watch.confirmed(k_noon, k_tick));
    EXPECT_FALSE(watch.confirmed(ahead, k_tick)) << "before anybody looked";
    EXPECT_TRUE(watch.look(ahead, k_tick));
    EXPECT_FALSE(watch.believed(ahead, k_tick)) << "nothing may end by age now";
    watch.compare(k_noon, k_noon + 10s);
    EXPECT_FALSE(watch.believed(k_noon + 10s, k_tick + 10s)) << "set back, and not looked at";
    EXPECT_TRUE(watch.look(k_noon + 10s, k_tick + 10s));
    watch.compare(k_noon, k_noon + 10s);
    EXPECT_TRUE(watch.believed(k_noon + 10s, k_tick + 10s));
}

TEST(ClockWatch, WithoutADateAJumpEndsTheBeliefAsWell) {
    ClockWatch watch(k_noon, k_tick);
    watch.compare(std::nullopt, k_noon);
    EXPECT_TRUE(watch.look(k_noon + std::chrono::days{365}, k_tick));
    EXPECT_FALSE(watch.believed(k_noon + std::chrono::days{365}, k_tick));
    EXPECT_TRUE(watch.astray(k_noon + std::chrono::days{365}, k_tick));
    watch.compare(std::nullopt, k_noon + std::chrono::days{365});
    EXPECT_TRUE(watch.believed(k_noon + std::chrono::days{365}, k_tick)) << "our own is all there is";
    EXPECT_FALSE(watch.astray(k_noon + std::chrono::days{365}, k_tick));
}

TEST(ClockWatch, IsAstrayFromTheJumpOnUntilItAgreesAgain) {
    ClockWatch watch(k_noon, k_tick);
    watch.compare(k_noon, k_noon);
    const auto ahead = k_noon + std::chrono::days{2};
    EXPECT_FALSE(watch.astray(k_noon + 1s, k_tick + 1s));
    EXPECT_TRUE(watch.astray(ahead, k_tick)) << "before anybody looked";
    EXPECT_TRUE(watch.look(ahead, k_tick));
    watch.compare(k_noon, ahead);
    EXPECT_TRUE(watch.astray(ahead, k_tick)) << "the answer differs";
    EXPECT_TRUE(watch.look(k_noon + 5s, k_tick + 5s));
    EXPECT_FALSE(watch.astray(k_noon + 5s, k_tick + 5s)) << "back where it was, with or without an answer";
}

TEST(ClockWatch, IsNotAstrayWhereTheServiceIsTheOneThatIsWrong) {
    ClockWatch watch(k_noon, k_tick);
    watch.compare(k_noon - std::chrono::days{400}, k_noon);
    EXPECT_FALSE(watch.astray(k_noon, k_tick)) << "nothing has jumped";
    EXPECT_TRUE(watch.look(k_noon + 8h, k_tick)) << "the machine slept";
    EXPECT_TRUE(watch.astray(k_noon + 8h, k_tick));
    watch.compare(k_noon + 8h - std::chrono::days{400}, k_noon + 8h);
    EXPECT_FALSE(watch.astray(k_noon + 8h, k_tick)) << "as far from it as ever";
}

TEST(ClockWatch, IsDoubtfulBeforeTheFirstAnswerAndAMinuteOff) {
    ClockWatch watch(k_noon, k_tick);
    EXPECT_TRUE(watch.doubtful(k_noon, k_tick));
    watch.compare(k_noon, k_noon + 10s);
    EXPECT_FALSE(watch.doubtful(k_noon + 10s, k_tick + 10s));
    watch.compare(k_noon, k_noon - 61s);
    EXPECT_TRUE(watch.doubtful(k_noon - 61s, k_tick));
}

TEST(ClockWatch, IsConfirmedByADateAlone) {
    const auto ahead = k_noon + std::chrono::days{928};
    ClockWatch watch(ahead, k_tick);
    watch.compare(std::nullopt, ahead);
    EXPECT_TRUE(watch.believed(ahead, k_tick));
    EXPECT_FALSE(watch.confirmed(ahead, k_tick));
    watch.compare(k_noon, ahead);
    EXPECT_FALSE(watch.confirmed(ahead, k_tick));
    EXPECT_TRUE(watch.look(k_noon + 1s, k_tick + 1s));
    watch.compare(k_noon + 1s, k_noon + 1s);
    EXPECT_TRUE(watch.confirmed(k_noon + 1s, k_tick + 1s));
}

TEST(ClockWatch, TellsASkewOnceUntilItIsMended) {
    ClockWatch watch(k_noon, k_tick);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_noon, k_noon + 90s);
    EXPECT_TRUE(watch.skew_to_tell());
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_noon, k_noon + 40s);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_noon, k_noon + 1s);
    EXPECT_FALSE(watch.skew_to_tell());
    watch.compare(k_noon, k_noon - 61s);
    EXPECT_TRUE(watch.skew_to_tell());
}

}  // namespace
}  // namespace connector::engine
