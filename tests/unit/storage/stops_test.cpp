// What is stopped, by a person or by a limit: in force for every call after it, over a reopening, and not undone by an
// editor of the file.
#include "unit/storage/ledger_fixture.hpp"

#include <algorithm>

namespace connector::storage::test {
namespace {

using ports::Commit;
using request::Kind;
using request::Stage;

class Stops : public LedgerTest {
protected:
    Result<std::uint64_t> charge(const std::string& subject, UtcTime now, std::uint32_t limit = 2,
                                 const std::string& meter = "issue_per_hour") {
        Commit commit;
        commit.record = accepted(subject);
        commit.record.stage = Stage::submitting;
        commit.charges = {{meter, "", subject, 1h, limit, false}};
        return ledger->save(commit, now);
    }
    std::vector<std::string> due(UtcTime now = k_now) {
        ports::TakeOrder order;
        order.limit = 100;
        const auto taken = ledger->take(order, now);
        EXPECT_TRUE(taken);
        std::vector<std::string> ids;
        for (const auto& one : taken->records) {
            ids.push_back(one.request.id.text());
            EXPECT_TRUE(ledger->put_back(one.request.id));
        }
        return ids;
    }
    static request::Stop frozen(Kind kind) {
        request::Stop stop;
        stop.kind = kind;
        stop.by = "root";
        stop.reason = "who ordered all this?";
        stop.since = k_now;
        return stop;
    }
};

TEST_F(Stops, AtTwiceItsLimitAKindTripsAndStaysSo) {
    ASSERT_TRUE(charge("a", k_now));
    ASSERT_TRUE(charge("b", k_now));
    EXPECT_EQ(charge("c", k_now).error().code, "limitReached");
    // Asked again for the same is not asked for more.
    EXPECT_EQ(charge("c", k_now + 1min).error().code, "limitReached");
    EXPECT_TRUE(ledger->stops()->empty());
    EXPECT_EQ(ledger->meters(k_now)->front().above, 1U);
    reopen();
    EXPECT_EQ(charge("d", k_now + 2min).error().code, "limitReached");
    ASSERT_EQ(ledger->stops()->size(), 2U);
    EXPECT_EQ(ledger->stops()->front().kind, Kind::pkcs_issue);
    EXPECT_EQ(ledger->stops()->front().limit, "issue_per_hour");
    EXPECT_EQ(ledger->stops()->front().reason, "4 asked for, the limit is 2");
    EXPECT_EQ(charge("e", k_now + 2min).error().code, "kindStopped");
    reopen();
    EXPECT_EQ(ledger->stops()->size(), 2U);
    EXPECT_EQ(charge("e", k_now + 3h).error().code, "kindStopped") << "the hour is over, the stop is not";
    EXPECT_TRUE(due(k_now + 3h).empty());
    EXPECT_TRUE(reported.empty());

    EXPECT_EQ(ledger->thaw(request::all_kinds(), k_now + 3min)->size(), 2U);
    EXPECT_EQ(charge("e", k_now + 4min).error().code, "limitReached") << "still above its limit";
    EXPECT_TRUE(ledger->stops()->empty()) << "but what was asked before the thaw is not held against it again";
    EXPECT_EQ(charge("f", k_now + 4min).error().code, "limitReached");
    EXPECT_EQ(charge("g", k_now + 4min).error().code, "limitReached");
    EXPECT_EQ(charge("h", k_now + 4min).error().code, "limitReached");
    EXPECT_EQ(ledger->stops()->size(), 2U) << "asked for twice the limit once more";
}

TEST_F(Stops, ALimitOfOnePersonStopsNobodyElse) {
    for (const auto* subject : {"a", "b", "c", "d", "e", "f"})
        (void)charge(subject, k_now, 1, "issue_per_user_per_day");
    EXPECT_TRUE(ledger->stops()->empty());
}

TEST_F(Stops, WhatIsCountedAfterwardsTripsToo) {
    const request::Charge refusal{"refusals_per_hour", "", "r", 1h, 2, false};
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger->count(refusal, k_now));
    EXPECT_TRUE(ledger->stops()->empty());
    ASSERT_TRUE(ledger->count(refusal, k_now));
    EXPECT_EQ(ledger->stops()->size(), 3U);
}

TEST_F(Stops, FrozenKindsAreNeitherWorkedNorSent) {
    accepted("waits");
    auto done = accepted("done");
    done.stage = Stage::packaged;
    done.sealed_package = Bytes(10, 1);
    saved(done);
    auto failed = accepted("failed");
    failed.stage = Stage::refused;
    failed.failure = request::Failure{"internal", "x", false, {}};
    saved(failed);
    auto orphan = accepted("orphan");
    orphan.stage = Stage::revoking;
    orphan.certificate = Bytes(10, 2);
    orphan.outcome = "cancelled";
    saved(orphan);
    ASSERT_TRUE(ledger->freeze({frozen(Kind::pkcs_issue)}));
    EXPECT_EQ(due(), std::vector<std::string>{"orphan"}) << "a revocation is a kind of its own";
    ASSERT_EQ(ledger->outbox(k_now, 10)->size(), 1U);
    EXPECT_EQ(ledger->outbox(k_now, 10)->front().request.id.text(), "failed");
    ASSERT_TRUE(ledger->freeze({frozen(Kind::certificate_revoke)}));
    reopen();
    EXPECT_TRUE(due().empty());
    EXPECT_EQ(ledger->thaw({Kind::pkcs_issue}, k_now)->size(), 1U);
    EXPECT_EQ(due(), std::vector<std::string>{"waits"});
    EXPECT_EQ(ledger->outbox(k_now, 10)->size(), 2U);
    EXPECT_EQ(ledger->thaw(request::all_kinds(), k_now)->size(), 1U);
    EXPECT_EQ(due().size(), 2U);
}

TEST_F(Stops, AStopThatIsTakenAwayStopsEverything) {
    accepted("waits");
    ASSERT_TRUE(ledger->freeze({frozen(Kind::pfx_deliver)}));
    for (const auto* sql : {"DELETE FROM stop", "UPDATE stop SET kind='pfx.withdraw'"}) {
        edit(sql);
        EXPECT_TRUE(was_reported("stop")) << sql;
        EXPECT_GE(ledger->stops()->size(), request::all_kinds().size()) << sql;
        EXPECT_TRUE(due().empty()) << sql;
        EXPECT_EQ(charge("x", k_now).error().code, "kindStopped") << sql;
        // A person has looked.
        ASSERT_TRUE(ledger->thaw(request::all_kinds(), k_now));
        EXPECT_TRUE(ledger->stops()->empty());
        reopen();
        EXPECT_TRUE(ledger->stops()->empty());
        EXPECT_FALSE(due().empty());
        ASSERT_TRUE(ledger->freeze({frozen(Kind::pfx_deliver)}));
        reported.clear();
    }
}

TEST_F(Stops, WithTheStateTakenAwayTooEverythingIsStopped) {
    accepted("waits");
    ASSERT_TRUE(ledger->freeze({frozen(Kind::pkcs_issue)}));
    edit("DELETE FROM stop; DELETE FROM ledger_state");
    EXPECT_GE(ledger->stops()->size(), request::all_kinds().size());
    EXPECT_TRUE(due().empty());
    reopen();
    EXPECT_TRUE(due().empty()) << "time heals nothing";
    ASSERT_TRUE(ledger->accept_as_found());
    EXPECT_TRUE(ledger->stops()->empty());
    EXPECT_FALSE(due().empty());
}

TEST_F(Stops, ARaiseEndsByItself) {
    request::Raise raise{"issue_per_hour", 4, "root", "roll-out", k_now, k_now + 30min};
    ASSERT_TRUE(ledger->raise(raise));
    for (const auto* subject : {"a", "b", "c", "d"}) EXPECT_TRUE(charge(subject, k_now)) << subject;
    EXPECT_FALSE(charge("e", k_now));
    reopen();
    EXPECT_EQ(ledger->raises()->size(), 1U);
    EXPECT_EQ(charge("f", k_now + 31min).error().code, "limitReached") << "two are the limit again";
    EXPECT_TRUE(ledger->stops()->empty()) << "what was allowed while it was raised is nobody's attack";
    EXPECT_TRUE(charge("g", k_now + 61min));
    edit("DELETE FROM raised_limit");
    EXPECT_FALSE(charge("x", k_now + 62min) && charge("y", k_now + 62min)) << "a row that is gone lowers the limit";
}

TEST_F(Stops, WaivedIsCountedAndShowsTheLimit) {
    ASSERT_TRUE(charge("a", k_now));
    ASSERT_TRUE(charge("b", k_now));
    Commit commit;
    commit.record = accepted("c");
    commit.charges = {{"issue_per_hour", "", "c", 1h, 2, false, true, true}};
    ASSERT_TRUE(ledger->save(commit, k_now));
    EXPECT_EQ(ledger->meters(k_now)->front().used, 3U);
    EXPECT_EQ(ledger->meters(k_now)->front().limit, 2U);
}

TEST_F(Stops, VotesEndAndCountOnceAnAccount) {
    const auto id = *RequestId::parse("r1");
    const trust::Vote vote{id, hash_of("why"), "anna", hash_of("order"), hash_of("key"), k_now, k_now + 24h * 7};
    ASSERT_TRUE(ledger->vote(vote));
    ASSERT_TRUE(ledger->vote(vote));
    auto other = vote;
    other.by = "ben";
    other.given = k_now + 24h;
    other.expires = k_now + 24h * 8;
    ASSERT_TRUE(ledger->vote(other));
    reopen();
    EXPECT_EQ(ledger->votes(id, k_now + 24h)->size(), 2U);
    EXPECT_EQ(ledger->votes(id, k_now + 24h * 7)->size(), 1U) << "the first has ended";
    EXPECT_TRUE(ledger->votes(*RequestId::parse("r2"), k_now)->empty());
    ASSERT_TRUE(ledger->purge(k_now + 24h * 9, k_now));
    EXPECT_EQ(Raw(folder.database()).one("SELECT count(*) FROM vote"), "0");
    ASSERT_TRUE(ledger->vote(vote));
    edit("UPDATE vote SET by='ben'");
    EXPECT_TRUE(ledger->votes(id, k_now)->empty());
    EXPECT_TRUE(was_reported("vote"));
}

}  // namespace
}  // namespace connector::storage::test
