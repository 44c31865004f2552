#include "core/engine/breaker.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

const Tick k_first{1h};
const UtcTime k_then{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

TEST(Breaker, OpensAfterFailuresInARowAndLetsOneProbeThrough) {
    Breaker breaker(AuthorityRules{4, 3, 30s});
    for (int i = 0; i < 2; ++i) {
        ASSERT_FALSE(breaker.enter(k_first));
        EXPECT_FALSE(breaker.failed(k_first, k_then));
    }
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.failed(k_first, k_then)) << "down from now on";
    EXPECT_EQ(breaker.state(), Breaker::State::down);
    EXPECT_EQ(breaker.enter(k_first + 10s), 20s);
    ASSERT_FALSE(breaker.enter(k_first + 30s)) << "the probe";
    EXPECT_TRUE(breaker.enter(k_first + 30s)) << "ten thousand waiting cost one probe";
    EXPECT_FALSE(breaker.failed(k_first + 31s, k_then));
    EXPECT_TRUE(breaker.enter(k_first + 32s));
    ASSERT_FALSE(breaker.enter(k_first + 61s));
    EXPECT_TRUE(breaker.succeeded(k_then)) << "it was down";
    EXPECT_EQ(breaker.state(), Breaker::State::up);
    EXPECT_FALSE(breaker.enter(k_first + 61s));
}

TEST(Breaker, TellsHowManyMoreMayBeTaken) {
    Breaker breaker(AuthorityRules{4, 1, 30s});
    EXPECT_EQ(breaker.room(k_first), std::nullopt);
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.failed(k_first, k_then));
    EXPECT_EQ(breaker.room(k_first + 29s), 0U);
    EXPECT_EQ(breaker.room(k_first + 30s), 1U);
    ASSERT_FALSE(breaker.enter(k_first + 30s));
    EXPECT_EQ(breaker.room(k_first + 30s), 0U) << "the probe is under way";
}

TEST(Breaker, ARefusedCredentialParksAtOnceUntilSomebodyMendsIt) {
    Breaker breaker(AuthorityRules{4, 5, 30s});
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.park(k_first, k_then, 10min));
    EXPECT_EQ(breaker.room(k_first + 9min), 0U);
    EXPECT_TRUE(breaker.parked());
    EXPECT_EQ(breaker.left_alone_until(k_first + 9min), k_first + 10min);
    EXPECT_EQ(breaker.left_alone_until(k_first + 10min), std::nullopt);
    EXPECT_EQ(breaker.last_success(), std::nullopt);
    breaker.resume(k_first + 9min);
    EXPECT_FALSE(breaker.parked());
    EXPECT_EQ(breaker.state(), Breaker::State::down) << "until it has answered";
    EXPECT_EQ(breaker.left_alone_until(k_first + 9min), std::nullopt);
    EXPECT_EQ(breaker.room(k_first + 9min), 1U);
    ASSERT_FALSE(breaker.enter(k_first + 9min));
    EXPECT_FALSE(breaker.park(k_first + 9min, k_then, 10min)) << "told already";
    EXPECT_EQ(breaker.room(k_first + 18min), 0U);
    EXPECT_TRUE(breaker.parked());
    ASSERT_FALSE(breaker.enter(k_first + 20min));
    EXPECT_EQ(breaker.inside(), 1U);
    EXPECT_TRUE(breaker.succeeded(k_then));
    EXPECT_FALSE(breaker.parked());
    EXPECT_EQ(breaker.inside(), 0U);
    EXPECT_EQ(breaker.last_success(), k_then);
}

TEST(Breaker, AnAnswerThatComesLateDoesNotShortenAParking) {
    Breaker breaker(AuthorityRules{4, 3, 30s});
    ASSERT_FALSE(breaker.enter(k_first));
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.park(k_first, k_then, 600s));
    EXPECT_FALSE(breaker.failed(k_first + 5s, k_then)) << "it was on its way when the other was refused";
    EXPECT_TRUE(breaker.parked());
    EXPECT_EQ(breaker.enter(k_first + 40s), 560s);
    ASSERT_FALSE(breaker.enter(k_first + 600s)) << "the probe";
    EXPECT_FALSE(breaker.failed(k_first + 601s, k_then));
    EXPECT_FALSE(breaker.parked()) << "nobody refuses us now, it is away";
    EXPECT_EQ(breaker.enter(k_first + 601s), 30s);
}

TEST(Breaker, ARetryAfterKeepsItOpenForAsLongUpToAnHour) {
    struct Row {
        std::optional<std::chrono::seconds> asked;
        std::chrono::seconds open;
    };
    for (const auto& [asked, open] :
         {Row{std::nullopt, 30s}, Row{5s, 30s}, Row{300s, 300s}, Row{3600s, 3600s}, Row{86400s, 3600s}}) {
        Breaker breaker(AuthorityRules{4, 2, 30s});
        for (int i = 0; i < 2; ++i) {
            ASSERT_FALSE(breaker.enter(k_first)) << "one busy moment opens nothing";
            breaker.failed(k_first, k_then, asked);
        }
        EXPECT_EQ(breaker.enter(k_first), open);
        ASSERT_FALSE(breaker.enter(k_first + open)) << "the probe";
        EXPECT_FALSE(breaker.failed(k_first + open, k_then, asked));
        EXPECT_EQ(breaker.enter(k_first + open), open) << "a probe that is put off as well";
    }
}

TEST(Breaker, AnAnswerOnItsWayDoesNotShortenARetryAfter) {
    Breaker breaker(AuthorityRules{4, 1, 30s});
    ASSERT_FALSE(breaker.enter(k_first));
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.failed(k_first, k_then, 300s));
    EXPECT_FALSE(breaker.failed(k_first + 5s, k_then));
    EXPECT_EQ(breaker.enter(k_first + 40s), 260s);
    breaker.resume(k_first + 40s);
    EXPECT_FALSE(breaker.enter(k_first + 40s)) << "a person knows better";
}

TEST(Breaker, ASuccessForgetsEarlierFailures) {
    Breaker breaker(AuthorityRules{4, 2, 30s});
    for (int i = 0; i < 5; ++i) {
        ASSERT_FALSE(breaker.enter(k_first));
        EXPECT_FALSE(breaker.failed(k_first, k_then));
        ASSERT_FALSE(breaker.enter(k_first));
        EXPECT_FALSE(breaker.succeeded(k_then));
    }
}

TEST(Breaker, LimitsHowManyAreInsideAtOnce) {
    Breaker breaker(AuthorityRules{2, 5, 30s});
    ASSERT_FALSE(breaker.enter(k_first));
    ASSERT_FALSE(breaker.enter(k_first));
    EXPECT_TRUE(breaker.enter(k_first));
    breaker.left();
    EXPECT_FALSE(breaker.enter(k_first));
}

}  // namespace
}  // namespace connector::engine
