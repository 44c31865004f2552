// A certificate that still has to be revoked, and the id of the order that it came of.
#include "unit/storage/ledger_fixture.hpp"

#include <algorithm>

namespace connector::storage::test {
namespace {

using ports::Intake;
using request::RequestRecord;
using request::Stage;

class LedgerOrphans : public LedgerTest {
protected:
    // Issued, reported, and not delivered. `nonce`: of its submission.
    RequestRecord orphan(const std::string& id, Stage stage, std::uint8_t nonce) {
        auto record = accepted(id);
        record.stage = stage;
        record.csr = Bytes(900, nonce);
        record.submission_nonce = Bytes(16, nonce);
        record.certificate = Bytes(1500, nonce);
        record.outcome = "accepted";
        record.revoke_certificate = true;
        return saved(record);
    }
    std::vector<std::string> due() {
        const auto taken = ledger->take(ports::TakeOrder{10, {}, {}, false}, k_now);
        std::vector<std::string> ids;
        for (const auto& record : taken ? taken->records : std::vector<RequestRecord>())
            ids.push_back(record.request.id.text());
        std::sort(ids.begin(), ids.end());
        return ids;
    }
};

TEST_F(LedgerOrphans, DoNotKeepTheirOrdersIdFromANewOrder) {
    const auto old = orphan("r1", Stage::revoking, 1);
    auto again = leased("r1", "user-2");
    again.lease = {*LeaseId::parse("lease-new"), k_now + 10min, 1};
    EXPECT_EQ(ledger->accept({again}, k_now)->front(), Intake::created) << "and may be another order";

    reopen();
    const auto created = record("r1");
    EXPECT_EQ(created.stage, Stage::accepted);
    EXPECT_EQ(created.order_hash, again.order_hash);
    EXPECT_EQ(created.lease.id.text(), "lease-new");
    EXPECT_TRUE(created.certificate.empty());
    const auto apart = record("r1:0101010101010101");
    EXPECT_EQ(apart.stage, Stage::revoking);
    EXPECT_EQ(apart.certificate, old.certificate);
    EXPECT_EQ(apart.submission_nonce, old.submission_nonce);
    EXPECT_EQ(apart.request.user.id, old.request.user.id);
    EXPECT_TRUE(apart.lease.id.empty());
    EXPECT_EQ(due(), (std::vector<std::string>{"r1", "r1:0101010101010101"}));
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerOrphans, WhoeverWorkedOnOneMeetsAConflict) {
    const auto old = orphan("r1", Stage::revoking, 1);
    ASSERT_EQ(due().size(), 1U);
    auto held = record("r1");
    ASSERT_TRUE(held.in_work);
    ASSERT_EQ(ledger->accept({leased("r1")}, k_now)->front(), Intake::created);
    held.stage = Stage::closed;
    ports::Commit commit;
    commit.record = held;
    EXPECT_EQ(ledger->save(commit, k_now).error().kind, ErrorKind::conflict);
    EXPECT_FALSE(record("r1:0101010101010101").in_work) << "nobody has it under this id";
}

TEST_F(LedgerOrphans, SeveralOfOneIdGoOnSideBySide) {
    orphan("r1", Stage::revoking, 1);
    orphan("r1", Stage::revoking, 2);
    ASSERT_EQ(ledger->accept({leased("r1")}, k_now)->front(), Intake::created);
    EXPECT_EQ(record("r1").version, 5U);
    EXPECT_EQ(record("r1:0101010101010101").certificate, Bytes(1500, 1));
    EXPECT_EQ(record("r1:0202020202020202").certificate, Bytes(1500, 2));
}

TEST_F(LedgerOrphans, ThatAreSetAsideNeitherKeepALeaseNorTheId) {
    const auto old = orphan("r1", Stage::abandoned, 1);
    EXPECT_TRUE(ledger->open_leases()->empty());
    EXPECT_EQ(ledger->renew_lease(old.request.id, {*LeaseId::parse("l"), k_now, 1}).error().code, "requestNotOpen");
    ASSERT_EQ(ledger->accept({leased("r1")}, k_now)->front(), Intake::created);
    EXPECT_EQ(record("r1:0101010101010101").stage, Stage::abandoned);
    EXPECT_EQ(ledger->open_leases()->size(), 1U);
    EXPECT_TRUE(ledger->outbox(k_now, 10)->empty()) << "the service has its report";
}

TEST_F(LedgerOrphans, AnOrderThatNobodyHasReportedKeepsItsId) {
    auto record = accepted("r1");
    record.stage = Stage::abandoned;
    record.submission_nonce = Bytes(16, 1);
    saved(record);
    EXPECT_EQ(ledger->accept({leased("r1")}, k_now)->front(), Intake::known);
    EXPECT_EQ(ledger->open_leases()->size(), 1U);
}

TEST_F(LedgerOrphans, AnUnreadableOrderUnderTheIdIsOneOfItsOwn) {
    orphan("r1", Stage::revoking, 1);
    ASSERT_TRUE(ledger->accept_unreadable(*RequestId::parse("r1"), *LeaseId::parse("l"),
                                          {"invalidRequest", "no", false, {}}, k_now));
    EXPECT_EQ(record("r1").stage, Stage::refused);
    EXPECT_EQ(record("r1:0101010101010101").stage, Stage::revoking);
}

}  // namespace
}  // namespace connector::storage::test
