// Who works on what, and what the end of the process means for it.
#include "core/request/machine.hpp"
#include "tests/unit/storage/ledger_fixture.hpp"

namespace connector::storage {
namespace {

using namespace test;
using request::RequestRecord;
using request::Stage;

class LedgerWork : public LedgerTest {
protected:
    ports::Taken take(ports::TakeOrder order, UtcTime now = k_now) {
        auto taken = ledger->take(order, now);
        EXPECT_TRUE(taken) << taken.error().message;
        return taken ? std::move(*taken) : ports::Taken{};
    }
    static ports::TakeOrder up_to(std::size_t limit) {
        ports::TakeOrder order;
        order.limit = limit;
        return order;
    }
    void at(const std::string& id, const std::string& authority) {
        auto one = leased(id);
        std::get<request::Issue>(one.request.order).profile.authority = authority;
        EXPECT_TRUE(ledger->accept({one}, k_now));
    }
    static std::string ids(const std::vector<RequestRecord>& records) {
        std::string text;
        for (const auto& record : records) text += record.request.id.text();
        return text;
    }
    // As a worker that dies with the process.
    void die() {
        reopen();
        const auto recovered = ledger->recover(k_now);
        ASSERT_TRUE(recovered) << recovered.error().message;
    }
};

TEST_F(LedgerWork, WhatIsTakenIsMarkedUntilItRests) {
    accepted("a");
    const auto taken = take(up_to(5));
    ASSERT_EQ(taken.records.size(), 1U);
    EXPECT_TRUE(record("a").in_work);
    auto busy = up_to(5);
    busy.busy = {*RequestId::parse("a")};
    EXPECT_TRUE(take(busy).records.empty()) << "not twice";
    auto resting = taken.records.front();
    resting = request::after(resting, request::Outcome(request::Held{}), {}, k_now, 0.5);
    saved(resting);
    EXPECT_FALSE(record("a").in_work);
    EXPECT_TRUE(ledger->recover(k_now)->empty());
}

TEST_F(LedgerWork, WhatIsInHandTakesNobodysPlace) {
    for (const auto* id : {"a", "b", "c", "d:.+-_@1"}) accepted(id);
    auto order = up_to(1);
    order.busy = {*RequestId::parse("a"), *RequestId::parse("d:.+-_@1"), *RequestId::parse("c")};
    EXPECT_EQ(ids(take(order).records), "b");
}

TEST_F(LedgerWork, AReaderOfBeforeCannotWriteOverAMark) {
    const auto before = accepted("a");
    take(up_to(1));
    ports::Commit late;
    late.record = before;
    EXPECT_EQ(ledger->save(late, k_now).error().kind, ErrorKind::conflict);
}

TEST_F(LedgerWork, PuttingBackIsNoDeath) {
    accepted("a");
    take(up_to(1));
    EXPECT_TRUE(ledger->put_back(*RequestId::parse("a")));
    EXPECT_TRUE(ledger->put_back(*RequestId::parse("unknown")));
    die();
    EXPECT_EQ(record("a").deaths, 0U);
}

TEST_F(LedgerWork, ADeathIsCountedOnceAndOnlyForWhatWasInWork) {
    accepted("a");
    accepted("b");
    take(up_to(1));
    die();
    EXPECT_EQ(record("a").deaths + record("b").deaths, 1U);
    EXPECT_TRUE(ledger->recover(k_now)->empty());
    reopen();
    EXPECT_TRUE(ledger->recover(k_now)->empty());
}

TEST_F(LedgerWork, AfterTwoDeathsARecordIsWorkedAloneAndTheThirdSetsItAside) {
    accepted("a");
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(take(up_to(5)).records.size(), 1U);
        die();
    }
    accepted("b");
    const auto others = take(up_to(5));
    EXPECT_EQ(ids(others.records), "b");
    EXPECT_TRUE(others.alone_waits);
    EXPECT_TRUE(ledger->put_back(*RequestId::parse("b")));

    auto alone = up_to(1);
    alone.alone = true;
    EXPECT_EQ(ids(take(alone).records), "a");
    die();
    const auto aside = record("a");
    EXPECT_EQ(aside.stage, Stage::abandoned);
    ASSERT_TRUE(aside.failure);
    EXPECT_EQ(aside.failure->code, "internal");
    EXPECT_FALSE(aside.failure->retryable);
    EXPECT_EQ(ids(*ledger->outbox(k_now, 10)), "a") << "it is reported";
    EXPECT_EQ(ids(take(up_to(5)).records), "b") << "the innocent go on";
}

TEST_F(LedgerWork, AuthoritiesGetNoMoreThanTheirRoomAndDoNotStandInTheWay) {
    for (const auto* id : {"d1", "d2", "d3"}) at(id, "dead");
    at("s1", "slow");
    at("s2", "slow");
    at("g1", "good");
    auto order = up_to(3);
    order.room = {{"dead", 0}, {"slow", 1}};
    auto taken = take(order);
    EXPECT_EQ(ids(taken.records), "s1g1");
    EXPECT_TRUE(taken.passed_over);
    order.room = {{"dead", 1}, {"slow", 0}};
    order.busy = {*RequestId::parse("s1"), *RequestId::parse("g1")};
    EXPECT_EQ(ids(take(order).records), "d1") << "one probe";
}

TEST_F(LedgerWork, ThePlannerPassesOverADeadAuthorityWithinTheIndex) {
    const Raw raw(folder.database());
    std::string plan;
    for (const auto& row : const_cast<Raw&>(raw).rows(
             "EXPLAIN QUERY PLAN SELECT * FROM request WHERE stage NOT IN ('packaged', 'refused', 'held', 'abandoned', "
             "'closed') AND due_at<=1 AND deaths<2 AND (authority IS NULL OR authority NOT IN ('x')) AND id NOT IN "
             "(SELECT value FROM json_each('[\"a\"]')) ORDER BY due_at, rowid LIMIT 3"))
        plan += row.back() + "\n";
    EXPECT_NE(plan.find("request_due"), std::string::npos) << plan;
}

TEST_F(LedgerWork, AClockSetBackLeavesNothingWaitingForYears) {
    auto late = accepted("a");
    late.due_at = k_now + std::chrono::days{4000};
    saved(late);
    accepted("b");
    EXPECT_EQ(*ledger->pull_back(k_now, 25h), 1U);
    EXPECT_EQ(record("a").due_at, k_now);
    EXPECT_EQ(*ledger->pull_back(k_now, 25h), 0U);
}

TEST_F(LedgerWork, WhoCannotBeWorkedAloneNowKeepsNobodyElseWaiting) {
    at("a", "dead");
    auto suspect = record("a");
    suspect.deaths = request::k_deaths_until_alone;
    saved(suspect);
    accepted("b");
    ports::TakeOrder order;
    order.limit = 5;
    order.room = {{"dead", 0}};
    const auto taken = take(order);
    EXPECT_FALSE(taken.alone_waits);
    EXPECT_EQ(ids(taken.records), "b");
    order.room = {{"dead", 1}};
    EXPECT_TRUE(take(order).alone_waits);
}

TEST_F(LedgerWork, WhatWaitsMovesWithTheClock) {
    const auto late = k_now + 3h;
    auto waiting = accepted("a");
    waiting.due_at = late;
    waiting.failing_since = k_now - 1h;
    waiting.updated_at = k_now - 10min;
    saved(waiting);
    auto held = accepted("b");
    held.stage = request::Stage::held;
    held.waiting_since = k_now - 2h;
    held.updated_at = k_now - 2h;
    saved(held);
    auto due = accepted("c");
    due.due_at = k_now - 5min;
    due.updated_at = k_now - 10min;
    saved(due);

    const auto jump = std::chrono::days{700};
    EXPECT_EQ(*ledger->move_waits(k_now + jump, jump), 2U);
    EXPECT_EQ(record("a").due_at, late + jump) << "it would all be due at once else";
    EXPECT_EQ(record("a").failing_since, k_now - 1h + jump);
    EXPECT_EQ(record("b").waiting_since, k_now - 2h + jump);
    EXPECT_EQ(record("c").due_at, k_now - 5min);

    EXPECT_TRUE(ledger->move_waits(k_now, -jump));
    EXPECT_EQ(record("a").due_at, late);
    EXPECT_EQ(record("a").failing_since, k_now - 1h);
    EXPECT_EQ(record("b").waiting_since, k_now - 2h);
    EXPECT_LE(record("c").due_at, k_now);

    EXPECT_TRUE(ledger->move_waits(k_now - 30min, -30min));
    EXPECT_EQ(record("a").due_at, late - 30min);
    EXPECT_LE(record("c").due_at, k_now - 30min) << "what was due is due";
}

TEST_F(LedgerWork, WhatWasSavedSinceTheJumpGoesByTheNewClock) {
    auto saved_since = accepted("a");
    saved_since.due_at = k_now + 1min;
    saved_since.updated_at = k_now - 1s;
    saved(saved_since);
    EXPECT_EQ(*ledger->move_waits(k_now, 48h), 0U);
    EXPECT_EQ(record("a").due_at, k_now + 1min);
}

}  // namespace
}  // namespace connector::storage
