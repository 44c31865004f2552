#include "unit/storage/ledger_fixture.hpp"

#include "storage/rows.hpp"

#include <fstream>

namespace connector::storage::test {
namespace {

using ports::Commit;
using ports::Intake;
using request::RequestRecord;
using request::Stage;

RequestId id_of(const std::string& text) {
    return *RequestId::parse(text);
}

RequestRecord full_record(RequestRecord record) {
    record.stage = Stage::at_authority;
    record.due_at = k_now + 5s;
    record.tries = 3;
    record.deaths = 1;
    record.in_work = true;
    record.failing_since = k_now - 5min;
    record.held_reason = request::HeldReason::limit;
    record.held_detail = "issue_per_hour";
    record.waiting_since = k_now - 5s;
    record.sealed_key = Bytes(1200, 1);
    record.csr = Bytes(900, 2);
    record.submission_nonce = Bytes(16, 3);
    record.spki_sha256 = hash_of("spki");
    record.authority_request_id = "4711";
    record.certificate = Bytes(1500, 4);
    record.chain = {Bytes(1000, 5), Bytes{}, Bytes(900, 6)};
    record.sealed_package = Bytes(5000, 7);
    record.failure = request::Failure{"authorityRefused", "größer \"quoted\"\x01", true, "denied"};
    record.outcome = "postponed";
    record.held_by_service = {Sha256{}, *Sha256::from_hex_text(std::string(64, 'a'))};
    record.revoke_certificate = true;
    return record;
}

void expect_same(const RequestRecord& left, const RequestRecord& right) {
    EXPECT_EQ(encode(left.request), encode(right.request));
    EXPECT_EQ(left.order_hash, right.order_hash);
    EXPECT_EQ(left.lease.id, right.lease.id);
    EXPECT_EQ(left.lease.expires_at, right.lease.expires_at);
    EXPECT_EQ(left.lease.attempt, right.lease.attempt);
    EXPECT_EQ(left.stage, right.stage);
    EXPECT_EQ(left.version, right.version);
    EXPECT_EQ(left.accepted_at, right.accepted_at);
    EXPECT_EQ(left.updated_at, right.updated_at);
    EXPECT_EQ(left.due_at, right.due_at);
    EXPECT_EQ(left.tries, right.tries);
    EXPECT_EQ(left.deaths, right.deaths);
    EXPECT_EQ(left.in_work, right.in_work);
    EXPECT_EQ(left.failing_since, right.failing_since);
    EXPECT_EQ(left.held_reason, right.held_reason);
    EXPECT_EQ(left.held_detail, right.held_detail);
    EXPECT_EQ(left.waiting_since, right.waiting_since);
    EXPECT_EQ(left.sealed_key, right.sealed_key);
    EXPECT_EQ(left.csr, right.csr);
    EXPECT_EQ(left.submission_nonce, right.submission_nonce);
    EXPECT_EQ(left.spki_sha256, right.spki_sha256);
    EXPECT_EQ(left.authority_request_id, right.authority_request_id);
    EXPECT_EQ(left.certificate, right.certificate);
    EXPECT_EQ(left.chain, right.chain);
    EXPECT_EQ(left.sealed_package, right.sealed_package);
    ASSERT_EQ(left.failure.has_value(), right.failure.has_value());
    if (left.failure) {
        EXPECT_EQ(left.failure->code, right.failure->code);
        EXPECT_EQ(left.failure->message, right.failure->message);
        EXPECT_EQ(left.failure->retryable, right.failure->retryable);
        EXPECT_EQ(left.failure->authority_status, right.failure->authority_status);
    }
    EXPECT_EQ(left.outcome, right.outcome);
    EXPECT_EQ(left.held_by_service, right.held_by_service);
    EXPECT_EQ(left.revoke_certificate, right.revoke_certificate);
}

TEST_F(LedgerTest, EveryFieldOfARecordComesBack) {
    auto record = full_record(accepted("r1"));
    record = saved(record);
    record.updated_at = k_now;
    reopen();
    expect_same(this->record("r1"), record);
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerTest, EveryKindOfOrderComesBack) {
    request::Renew renew;
    renew.previous = {"0a1b", "CN=Old"};
    request::DeliverImported deliver;
    deliver.thumbprints = {"aa", "bb"};
    const std::vector<request::Order> orders{request::Issue{}, renew, deliver, request::Withdraw{"unenrolled"},
                                             request::Revoke{"main", "CN=CA", "01", "keyCompromise"}};
    for (std::size_t i = 0; i < orders.size(); ++i) {
        auto order = leased("r" + std::to_string(i));
        order.request.order = orders[i];
        ASSERT_TRUE(ledger->accept({order}, k_now));
        EXPECT_EQ(encode(record("r" + std::to_string(i)).request), encode(order.request));
    }
}

TEST_F(LedgerTest, AcceptIsIdempotentAndTakesTheNewestLease) {
    auto order = leased("r1");
    EXPECT_EQ(*ledger->accept({order, leased("r2"), order}, k_now),
              (std::vector{Intake::created, Intake::created, Intake::known}));
    const auto first = record("r1");
    EXPECT_EQ(first.version, 1U);
    EXPECT_EQ(first.accepted_at, k_now);
    EXPECT_EQ(first.due_at, k_now);

    order.lease = {*LeaseId::parse("lease-b"), k_now + 20min, 2};
    EXPECT_EQ(ledger->accept({order}, k_now + 1min)->front(), Intake::known);
    EXPECT_EQ(record("r1").lease.id.text(), "lease-b");
    EXPECT_EQ(record("r1").lease.attempt, 2U);
    EXPECT_EQ(record("r1").version, first.version) << "a worker that holds the record can still save it";
    // Ordered anew, before what became of it was told: the service counts from 1 again.
    order.lease = {*LeaseId::parse("lease-c"), k_now + 25min, 1};
    EXPECT_EQ(ledger->accept({order}, k_now + 2min)->front(), Intake::known);
    EXPECT_EQ(record("r1").lease.id.text(), "lease-c");

    // The worker's older lease does not come back with its save.
    saved(first);
    EXPECT_EQ(record("r1").lease.id.text(), "lease-c");
}

TEST_F(LedgerTest, ChangedOrderChangesNothing) {
    const auto before = accepted("r1");
    auto order = leased("r1");
    order.order_hash = hash_of("other");
    order.request.user.id = *UserId::parse("mallory");
    order.lease.id = *LeaseId::parse("lease-of-mallory");
    EXPECT_EQ(ledger->accept({order}, k_now + 1s)->front(), Intake::order_changed);
    expect_same(record("r1"), before);
}

TEST_F(LedgerTest, ClosedIdIsANewOrder) {
    auto closing = accepted("r1");
    closing.stage = Stage::closed;
    closing.outcome = "accepted";
    closing = saved(closing);
    auto order = leased("r1", "user-2");
    EXPECT_EQ(ledger->accept({order}, k_now + 1h)->front(), Intake::created);
    const auto renewed = record("r1");
    EXPECT_EQ(renewed.stage, Stage::accepted);
    EXPECT_EQ(renewed.request.user.id.text(), "user-2");
    EXPECT_FALSE(renewed.outcome);
    EXPECT_GT(renewed.version, closing.version);
}

TEST_F(LedgerTest, OrderWithoutHashIsOurFault) {
    auto order = leased("r1");
    order.order_hash = {};
    EXPECT_EQ(ledger->accept({order}, k_now).error().kind, ErrorKind::internal);
    EXPECT_FALSE(*ledger->get(id_of("r1")));
}

TEST_F(LedgerTest, UnreadableElementIsKeptUntilReported) {
    const auto lease = *LeaseId::parse("lease-u");
    const request::Failure failure{"invalidRequest", "/user: missing", false, std::nullopt};
    ASSERT_TRUE(ledger->accept_unreadable(id_of("u1"), lease, failure, k_now));
    auto found = ledger->outbox(k_now, 10);
    ASSERT_TRUE(found && found->size() == 1);
    auto record = found->front();
    EXPECT_EQ(record.stage, Stage::refused);
    EXPECT_EQ(record.request.id.text(), "u1");
    EXPECT_EQ(record.lease.id, lease);
    EXPECT_EQ(record.failure->message, "/user: missing");

    const auto second = *LeaseId::parse("lease-v");
    ASSERT_TRUE(ledger->accept_unreadable(id_of("u1"), second, failure, k_now));
    EXPECT_EQ(this->record("u1").lease.id, second);

    record.stage = Stage::closed;
    record.outcome = "accepted";
    saved(record);
    EXPECT_EQ(ledger->counts()->failed, 1U);
    EXPECT_EQ(this->record("u1").failure->code, "invalidRequest");
    EXPECT_TRUE(ledger->accept_unreadable(id_of("u1"), lease, failure, k_now)) << "closed: a new one";
    EXPECT_EQ(ledger->accept({leased("u1")}, k_now)->front(), Intake::created) << "readable at last";

    const auto open = accepted("r1");
    EXPECT_EQ(ledger->accept_unreadable(id_of("r1"), lease, failure, k_now).error().code, "requestKnown");
    expect_same(this->record("r1"), open);
}

TEST_F(LedgerTest, StaleSaveIsAConflict) {
    const auto record = accepted("r1");
    saved(record);
    Commit stale;
    stale.record = record;
    EXPECT_EQ(ledger->save(stale, k_now).error().kind, ErrorKind::conflict);
    stale.record.request.id = id_of("never-seen");
    EXPECT_EQ(ledger->save(stale, k_now).error().kind, ErrorKind::conflict);
}

TEST_F(LedgerTest, OneBadCommitOfAGroupHurtsNoOther) {
    std::vector<Commit> commits(4);
    for (std::size_t i = 0; i < 4; ++i) {
        commits[i].record = accepted("r" + std::to_string(i));
        commits[i].record.stage = Stage::keyed;
        commits[i].charges = {charge_of("r" + std::to_string(i), 3)};
    }
    commits[1].record.version = 9;  // stale
    commits[2].uses_window = true;  // none is open: refused after its checks
    commits[2].pin = pin_of("device-x");
    commits[2].generated_key = hash_of("k");
    commits[2].issued = issued_of("0a");
    const auto answers = ledger->save_many(commits, {k_now, k_now, k_now, k_now});
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_TRUE(answers[0]);
    EXPECT_EQ(answers[1].error().kind, ErrorKind::conflict);
    EXPECT_EQ(answers[2].error().code, "windowClosed");
    EXPECT_EQ(answers[2].error().kind, ErrorKind::refused);
    EXPECT_EQ(*answers[3], 2U);
    reopen();
    EXPECT_EQ(record("r0").stage, Stage::keyed);
    EXPECT_EQ(record("r1").stage, Stage::accepted);
    EXPECT_EQ(record("r2").stage, Stage::accepted);
    EXPECT_EQ(record("r3").stage, Stage::keyed);
    EXPECT_TRUE(ledger->pins()->empty());
    EXPECT_TRUE(ledger->issued(10)->empty());
    EXPECT_EQ(ledger->meters(k_now)->front().used, 2U);
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerTest, GroupOverALimitTakesWhatFits) {
    std::vector<Commit> commits(5);
    for (std::size_t i = 0; i < 5; ++i) {
        commits[i].record = accepted("r" + std::to_string(i));
        commits[i].charges = {charge_of("r" + std::to_string(i), 3)};
    }
    const auto answers = ledger->save_many(commits, std::vector<UtcTime>(5, k_now));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(answers[i]);
    for (std::size_t i = 3; i < 5; ++i) EXPECT_EQ(answers[i].error().kind, ErrorKind::throttled);
}

TEST_F(LedgerTest, DueAndOutboxShareTheWork) {
    const std::vector<std::pair<std::string, Stage>> stages{
        {"a", Stage::accepted},  {"b", Stage::keyed},    {"c", Stage::submitting}, {"d", Stage::at_authority},
        {"e", Stage::issued},    {"f", Stage::packaged}, {"g", Stage::refused},    {"h", Stage::held},
        {"i", Stage::abandoned}, {"j", Stage::revoking}, {"k", Stage::closed}};
    auto due_at = k_now;
    for (const auto& [id, stage] : stages) {
        auto record = accepted(id);
        record.stage = stage;
        record.due_at = due_at -= 1s;
        saved(record);
    }
    const auto ids = [](const Result<std::vector<RequestRecord>>& records) {
        std::string text;
        for (const auto& record : *records) text += record.request.id.text();
        return text;
    };
    const auto takeable = [&](UtcTime now, std::size_t limit) {
        ports::TakeOrder wanted;
        wanted.limit = limit;
        auto taken = ledger->take(wanted, now);
        for (const auto& record : taken->records) EXPECT_TRUE(ledger->put_back(record.request.id));
        std::string text;
        for (const auto& record : taken->records) text += record.request.id.text();
        return text;
    };
    EXPECT_EQ(takeable(k_now, 100), "jedcba");
    EXPECT_EQ(takeable(k_now, 2), "je");
    EXPECT_EQ(takeable(k_now - 3s, 100), "jedc");
    EXPECT_EQ(ids(ledger->outbox(k_now, 100)), "igf");
    EXPECT_EQ(ledger->open_leases()->size(), 9U) << "without revoking and closed";

    const auto counts = ledger->counts();
    EXPECT_EQ(counts->by_stage.size(), 10U);
    EXPECT_EQ(counts->by_stage.at(Stage::held), 1U);
    EXPECT_EQ(counts->oldest_pending, k_now);
}

TEST_F(LedgerTest, TellsHowRequestsEndedInEachStretchOfTime) {
    const auto begin = UtcTime(k_now.time_since_epoch() / 30min * 30min);
    const auto end = [&](const std::string& id, std::optional<std::string> outcome, UtcTime when, bool failed = false) {
        Commit closing;
        closing.record = accepted(id);
        closing.record.stage = Stage::closed;
        closing.record.outcome = std::move(outcome);
        if (failed) closing.record.failure = request::Failure{"authorityRefused", "", false, std::nullopt};
        EXPECT_TRUE(ledger->save(closing, when));
    };
    accepted("open");
    end("a", "accepted", begin + 1s);
    end("b", "duplicate", begin + 29min);
    end("c", "accepted", begin + 2min, true);
    end("d", "superseded", begin + 90min);
    end("e", "accepted", begin + 91min, true);
    end("f", "accepted", begin - 1s);
    const auto ended = ledger->ended_since(begin, 30min);
    ASSERT_TRUE(ended);
    ASSERT_EQ(ended->size(), 2U);
    EXPECT_EQ((*ended)[0].begin, begin);
    EXPECT_EQ(std::pair((*ended)[0].done, (*ended)[0].failed), std::pair(2UL, 1UL));
    EXPECT_EQ((*ended)[1].begin, begin + 90min);
    EXPECT_EQ(std::pair((*ended)[1].done, (*ended)[1].failed), std::pair(0UL, 1UL));

    const auto failed = [&](UtcTime since, std::size_t limit) {
        std::string ids;
        for (const auto& one : *ledger->failed_since(since, limit)) ids += one.request.id.text();
        return ids;
    };
    EXPECT_EQ(failed(begin, 10), "ec") << "the newest end first";
    EXPECT_EQ(failed(begin, 1), "e");
    EXPECT_EQ(failed(begin + 3min, 10), "e");
}

TEST_F(LedgerTest, PagesAreFilteredAndFollowEachOther) {
    for (const auto* id : {"a", "b", "c", "d", "e"}) accepted(id, std::string("user-") + (id[0] < 'c' ? "1" : "2"));
    auto closing = record("b");
    closing.stage = Stage::closed;
    saved(closing);
    const auto ids = [&](const ports::PageFilter& filter) {
        const auto records = ledger->page(filter);
        EXPECT_TRUE(records);
        std::string text;
        for (const auto& record : *records) text += record.request.id.text();
        return text;
    };
    ports::PageFilter filter;
    EXPECT_EQ(ids(filter), "abcde");
    filter.limit = 2;
    EXPECT_EQ(ids(filter), "ab");
    filter.after = "b";
    EXPECT_EQ(ids(filter), "cd");
    filter = {};
    filter.stage = Stage::accepted;
    EXPECT_EQ(ids(filter), "acde");
    filter.after = "c";
    EXPECT_EQ(ids(filter), "de");
    filter = {};
    filter.stage = Stage::closed;
    EXPECT_EQ(ids(filter), "b");
    filter = {};
    filter.user = "USER-1@corp.example";
    EXPECT_EQ(ids(filter), "ab");
    filter.user = "user-2";
    EXPECT_EQ(ids(filter), "cde");
    filter.device = "device-of-user-1";
    EXPECT_EQ(ids(filter), "");
    filter = {};
    filter.since = k_now + 1s;
    EXPECT_EQ(ids(filter), "");

    const auto open = ledger->open_of(*UserId::parse("user-1"), *DeviceId::parse("device-of-user-1"), k_now);
    ASSERT_EQ(open->size(), 1U);
    EXPECT_EQ(open->front().request.id.text(), "a");
    EXPECT_TRUE(ledger->open_of(*UserId::parse("user-1"), *DeviceId::parse("device-of-user-1"), k_now - 1h)->empty());
}

TEST_F(LedgerTest, LeaseIsRenewedWhileOpen) {
    const auto record = accepted("r1");
    const request::Lease lease{record.lease.id, k_now + 1h, 1};
    ASSERT_TRUE(ledger->renew_lease(id_of("r1"), lease));
    EXPECT_EQ(this->record("r1").lease.expires_at, k_now + 1h);
    auto closing = record;
    closing.stage = Stage::closed;
    saved(closing);
    EXPECT_EQ(ledger->renew_lease(id_of("r1"), lease).error().code, "requestNotOpen");
    EXPECT_EQ(ledger->renew_lease(id_of("r2"), lease).error().code, "requestNotOpen");
    EXPECT_TRUE(ledger->open_leases()->empty());
}

TEST_F(LedgerTest, ClosedRowIsShortAndFinal) {
    const std::string guid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    auto order = leased(guid, guid);
    order.request.user.user_principal_name = "firstname.lastname@department.corp.example";
    ASSERT_TRUE(ledger->accept({order}, k_now));
    auto record = full_record(this->record(guid));
    record.failure = request::Failure{"recipientUntrusted", std::string(300, 'm') + "€€€", false, "status"};
    record = saved(record);
    record.stage = Stage::closed;
    record.outcome = "accepted";
    record = saved(record);

    const auto kept = this->record(guid);
    EXPECT_EQ(kept.stage, Stage::closed);
    EXPECT_EQ(kept.outcome, "accepted");
    EXPECT_EQ(kept.failure->code, "recipientUntrusted");
    EXPECT_EQ(kept.request.user.user_principal_name, order.request.user.user_principal_name);
    EXPECT_EQ(kept.request.kind(), request::Kind::pkcs_issue);
    EXPECT_TRUE(kept.sealed_key.empty() && kept.sealed_package.empty() && kept.certificate.empty() && kept.csr.empty());

    Commit again;
    again.record = kept;
    EXPECT_EQ(ledger->save(again, k_now).error().code, "requestClosed");
    again.record.stage = Stage::revoking;
    EXPECT_EQ(ledger->save(again, k_now).error().code, "requestClosed") << "there is nothing to revoke";
    close();
    const auto octets = std::stoi(Raw(folder.database()).one("SELECT sum(payload) FROM dbstat WHERE name='request'"));
    EXPECT_LE(octets, 300);
    EXPECT_GE(octets, 250) << "the message fills what is left";
    open();
    EXPECT_EQ(ledger->get(id_of(guid)).value()->failure->message.substr(0, 3), "mmm");
}

TEST_F(LedgerTest, ACertificateThatComesAfterTheEndIsTakenToBeRevoked) {
    auto closing = accepted("r1");
    const auto request = closing.request;
    closing.stage = Stage::closed;
    closing.outcome = "cancelled";
    saved(closing);
    Commit late;
    late.record = record("r1");
    late.record.request = request;
    late.record.stage = Stage::revoking;
    late.record.certificate = {0x30};
    auto stale = late;
    --stale.record.version;
    EXPECT_EQ(ledger->save(stale, k_now).error().code, "requestChanged");
    ASSERT_TRUE(ledger->save(late, k_now));
    EXPECT_EQ(ledger->take({10, {}, {}, false}, k_now)->records.size(), 1U) << "somebody has to revoke it";
    EXPECT_EQ(record("r1").certificate, Bytes{0x30});
    EXPECT_TRUE(ledger->open_leases()->empty());
}

TEST_F(LedgerTest, FailureTextIsCutBetweenCharacters) {
    RequestRecord record;
    record.request = order_of("r1");
    record.stage = Stage::closed;
    record.order_hash = hash_of("x");
    std::string text;
    for (int i = 0; i < 200; ++i) text += "€";
    record.failure = request::Failure{"c", text, false, std::nullopt};
    const auto kept = request_from(to_row(record));
    ASSERT_TRUE(kept);
    EXPECT_GT(kept->failure->message.size(), 0U);
    EXPECT_EQ(kept->failure->message.size() % 3, 0U);
}

TEST_F(LedgerTest, ReportsAreCountedOnce) {
    auto delivered = accepted("a");
    delivered.stage = Stage::packaged;
    delivered = saved(delivered);
    delivered.stage = Stage::revoking;
    delivered.outcome = "duplicate";
    delivered = saved(delivered);
    delivered.stage = Stage::closed;
    saved(delivered);
    auto failed = accepted("b");
    failed.failure = request::Failure{"policyRefused", "", false, std::nullopt};
    failed.outcome = "accepted";
    failed.stage = Stage::closed;
    saved(failed);
    auto lost = accepted("c");
    lost.outcome = "leaseLost";
    lost.stage = Stage::closed;
    saved(lost);
    ASSERT_TRUE(ledger->purge(k_now + 1h, k_now + 1h));
    reopen();
    EXPECT_EQ(ledger->counts()->delivered, 1U);
    EXPECT_EQ(ledger->counts()->failed, 1U);
    EXPECT_TRUE(ledger->page({})->empty());
}

TEST_F(LedgerTest, PurgeTakesWhatHasHadItsTimeOnly) {
    for (const auto* id : {"a", "b"}) {
        auto record = accepted(id);
        record.stage = Stage::closed;
        Commit commit;
        commit.record = record;
        ASSERT_TRUE(ledger->save(commit, id[0] == 'a' ? k_now : k_now + 2h));
    }
    Commit commit;
    commit.record = accepted("r1");
    commit.issued = issued_of("0a");
    ASSERT_TRUE(ledger->save(commit, k_now));
    ASSERT_TRUE(ledger->purge(k_now + std::chrono::days{365 + 399}, k_now + 1h));
    EXPECT_FALSE(*ledger->get(id_of("a")));
    EXPECT_TRUE(*ledger->get(id_of("b")));
    EXPECT_TRUE(*ledger->get(id_of("r1")));
    EXPECT_EQ(ledger->issued(10)->size(), 1U);
    ASSERT_TRUE(ledger->purge(k_now + std::chrono::days{365 + 401}, k_now));
    EXPECT_TRUE(ledger->issued(10)->empty());
}

// What does not fit would be moved to the quarantine row by row, and be gone when the right key is put back.
TEST_F(LedgerTest, AnotherSealingKeyReadsNothingAndMovesNothing) {
    accepted("r1");
    close();
    {
        const TestSealer another(2);
        auto taken = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
        ASSERT_TRUE(taken);
        const auto opened =
            SqliteLedger::open(*taken, another, [](auto, auto) { ADD_FAILURE() << "nothing is moved"; });
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, "sealingKeyWrong");
        EXPECT_EQ(opened.error().kind, ErrorKind::misconfigured);
    }
    open();
    EXPECT_TRUE(reported.empty());
    EXPECT_TRUE(*ledger->get(id_of("r1")));
}

TEST_F(LedgerTest, QuickCheckFindsNothing) {
    accepted("r1");
    EXPECT_EQ(*ledger->quick_check(), "");
}

void wipe_index(const std::string& name, const std::string& index) {
    std::streamoff page = 0;
    std::streamoff root = 0;
    {
        Raw raw(name);
        page = std::stol(raw.one("PRAGMA page_size"));
        root = std::stol(raw.one("SELECT rootpage FROM sqlite_schema WHERE name = '" + index + "'"));
    }
    std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((root - 1) * page);
    file << std::string(static_cast<std::size_t>(page), '\xff');
}

// The state row lies on a page of its own: that it can be written does not mean that the file is well again.
TEST_F(LedgerTest, ADamagedPageEndsAllWriting) {
    const auto record = accepted("r1");
    close();
    wipe_index(folder.database(), "request_due");
    open();
    ASSERT_TRUE(ledger->next_sequence(k_now)) << "the damage is not met yet";
    EXPECT_FALSE(ledger->is_suspect());
    ports::TakeOrder order;
    order.limit = 10;
    const auto taken = ledger->take(order, k_now);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, "storageCorrupt");
    EXPECT_EQ(taken.error().kind, ErrorKind::integrity);
    const auto sequence = ledger->next_sequence(k_now);
    ASSERT_FALSE(sequence);
    EXPECT_EQ(sequence.error().code, "storageCorrupt");
    ports::Commit commit;
    commit.record = record;
    const auto saving = ledger->save(commit, k_now);
    ASSERT_FALSE(saving);
    EXPECT_EQ(saving.error().code, "storageCorrupt");
    EXPECT_TRUE(ledger->get(record.request.id)) << "what can still be read is";
    // Not by a check that looked elsewhere, and not by the end of this life.
    EXPECT_EQ(ledger->found_sound().error().code, "storageCorrupt");
    close();
    EXPECT_TRUE(is_suspect(folder.path()));
}

TEST_F(LedgerTest, SuspicionEndsWithASoundFile) {
    ASSERT_TRUE(ledger->suspect());
    ASSERT_TRUE(ledger->suspect()) << "twice is once";
    close();
    open();
    EXPECT_TRUE(ledger->is_suspect());
    ASSERT_TRUE(ledger->found_sound());
    EXPECT_FALSE(ledger->is_suspect());
    EXPECT_TRUE(ledger->found_sound()) << "and says so of one that was never suspect";
}

// What people ask for meets damage like any other.
TEST_F(LedgerTest, DamageMetWhileCountingEndsAllWriting) {
    static_cast<void>(accepted("r1"));
    close();
    wipe_index(folder.database(), "request_open");
    open();
    const auto counted = ledger->counts();
    ASSERT_FALSE(counted);
    EXPECT_EQ(counted.error().code, "storageCorrupt");
    EXPECT_TRUE(ledger->is_suspect());
    EXPECT_FALSE(ledger->next_sequence(k_now));
}

}  // namespace
}  // namespace connector::storage::test
