#include "core/engine/breaker.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const Tick k_start{1h};
const UtcTime k_utc{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

TEST(Breaker, OpensAfterFailuresInARowAndLetsOneProbeThrough) {
    Breaker breaker(AuthorityRules{4, 3, 30s});
    for (int i = 0; i < 2; ++i) {
        ASSERT_FALSE(breaker.enter(k_start));
        EXPECT_FALSE(breaker.failed(k_start, k_utc));
    }
    ASSERT_FALSE(breaker.enter(k_start));
    EXPECT_TRUE(breaker.failed(k_start, k_utc)) << "down from now on";
    EXPECT_EQ(breaker.state(), Breaker::State::down);
    EXPECT_EQ(breaker.enter(k_start + 10s), 20s);
    ASSERT_FALSE(breaker.enter(k_start + 30s)) << "the probe";
    EXPECT_TRUE(breaker.enter(k_start + 30s)) << "ten thousand waiting cost one probe";
    EXPECT_FALSE(breaker.failed(k_start + 31s, k_utc));
    EXPECT_TRUE(breaker.enter(k_start + 32s));
    ASSERT_FALSE(breaker.enter(k_start + 61s));
    EXPECT_TRUE(breaker.succeeded(k_utc)) << "it was down";
    EXPECT_EQ(breaker.state(), Breaker::State::up);
    EXPECT_FALSE(breaker.enter(k_start + 61s));
}

TEST(Breaker, TellsHowManyMoreMayBeTaken) {
    Breaker breaker(AuthorityRules{4, 1, 30s});
    EXPECT_EQ(breaker.room(k_start), std::nullopt);
    ASSERT_FALSE(breaker.enter(k_start));
    EXPECT_TRUE(breaker.failed(k_start, k_utc));
    EXPECT_EQ(breaker.room(k_start + 29s), 0U);
    EXPECT_EQ(breaker.room(k_start + 30s), 1U);
    ASSERT_FALSE(breaker.enter(k_start + 30s));
    EXPECT_EQ(breaker.room(k_start + 30s), 0U) << "the probe is under way";
}

TEST(Breaker, ARefusedCredentialParksAtOnceUntilSomebodyMendsIt) {
    Breaker breaker(AuthorityRules{4, 5, 30s});
    ASSERT_FALSE(breaker.enter(k_start));
    EXPECT_TRUE(breaker.park(k_start, k_utc, 10min));
    EXPECT_EQ(breaker.room(k_start + 9min), 0U);
    EXPECT_TRUE(breaker.parked());
    EXPECT_EQ(breaker.left_alone_until(k_start + 9min), k_start + 10min);
    EXPECT_EQ(breaker.left_alone_until(k_start + 10min), std::nullopt);
    EXPECT_EQ(breaker.last_success(), std::nullopt);
    breaker.resume(k_start + 9min);
    EXPECT_FALSE(breaker.parked());
    EXPECT_EQ(breaker.state(), Breaker::State::down) << "until it has answered";
    EXPECT_EQ(breaker.left_alone_until(k_start + 9min), std::nullopt);
    EXPECT_EQ(breaker.room(k_start + 9min), 1U);
    ASSERT_FALSE(breaker.enter(k_start + 9min));
    EXPECT_FALSE(breaker.park(k_start + 9min, k_utc, 10min)) << "told already";
    EXPECT_EQ(breaker.room(k_start + 18min), 0U);
    EXPECT_TRUE(breaker.parked());
    ASSERT_FALSE(breaker.enter(k_start + 20min));
    EXPECT_EQ(breaker.inside(), 1U);
    EXPECT_TRUE(breaker.succeeded(k_utc));
    EXPECT_FALSE(breaker.parked());
    EXPECT_EQ(breaker.inside(), 0U);
    EXPECT_EQ(breaker.last_success(), k_utc);
}

TEST(Breaker, AnAnswerThatComesLateDoesNotShortenAParking) {
    Breaker breaker(AuthorityRules{4, 3, 30s});
    ASSERT_FALSE(breaker.enter(k_start));
    ASSERT_FALSE(breaker.enter(k_start));
    EXPECT_TRUE(breaker.park(k_start, k_utc, 600s));
    EXPECT_FALSE(breaker.failed(k_start + 5s, k_utc)) << "it was on its way when the other was refused";
    EXPECT_TRUE(breaker.parked());
    EXPECT_EQ(breaker.enter(k_start + 40s), 560s);
    ASSERT_FALSE(breaker.enter(k_start + 600s)) << "the probe";
    EXPECT_FALSE(breaker.failed(k_start + 601s, k_utc));
    EXPECT_FALSE(breaker.parked()) << "nobody refuses us now, it is away";
    EXPECT_EQ(breaker.enter(k_start + 601s), 30s);
}

TEST(Breaker, ASuccessForgetsEarlierFailures) {
    Breaker breaker(AuthorityRules{4, 2, 30s});
    for (int i = 0; i < 5; ++i) {
        ASSERT_FALSE(breaker.enter(k_start));
        EXPECT_FALSE(breaker.failed(k_start, k_utc));
        ASSERT_FALSE(breaker.enter(k_start));
        EXPECT_FALSE(breaker.succeeded(k_utc));
    }
}

TEST(Breaker, LimitsHowManyAreInsideAtOnce) {
    Breaker breaker(AuthorityRules{2, 5, 30s});
    ASSERT_FALSE(breaker.enter(k_start));
    ASSERT_FALSE(breaker.enter(k_start));
    EXPECT_TRUE(breaker.enter(k_start));
    breaker.left();
    EXPECT_FALSE(breaker.enter(k_start));
}

}  // namespace
}  // namespace connector::engine
