#include "core/request/machine.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

using namespace std::chrono_literals;
using samples::now;

RequestRecord record_of(Order order, Stage stage) {
    RequestRecord record;
    record.request.id = *RequestId::parse("r-1");
    record.request.user = samples::alice();
    record.request.device = samples::phone();
    record.request.order = std::move(order);
    record.stage = stage;
    record.accepted_at = now();
    record.due_at = now();
    return record;
}
RequestRecord issuing(Stage stage) {
    auto record = record_of(Issue{}, stage);
    if (stage != Stage::accepted) {
        record.sealed_key = {1, 2, 3};
        record.csr = {4};
        record.submission_nonce = Bytes(16, 5);
    }
    return record;
}
RequestRecord step(RequestRecord record, Outcome outcome, UtcTime when = now()) {
    return after(std::move(record), outcome, RetryRules{}, when, 0.5);
}
Failed failing(ErrorKind kind, Bytes certificate = {}) {
    return Failed{Error(kind, "someCode", "some reason"), std::move(certificate)};
}

Failed failing_again(ErrorKind kind) {
    auto failed = failing(kind);
    failed.may_be_there = true;
    return failed;
}

// Fails as often and as long as it takes to be given up.
RequestRecord given_up(RequestRecord record, ErrorKind kind) {
    for (std::uint32_t i = 0; i < RetryRules{}.fewest_tries; ++i)
        record = step(std::move(record), failing(kind), now() + i * 6h + 1s);
    return record;
}

TEST(Machine, APollThatSendsTheOrderAgainIsAnOrderUntilItIsAnswered) {
    auto pending = issuing(Stage::submitting);
    pending = step(pending, TakenByAuthority{"7", 60s});
    const auto polling = step(pending, SubmissionBegins{}, pending.due_at);
    EXPECT_EQ(polling.stage, Stage::submitting);
    EXPECT_EQ(recover(polling, now()).stage, Stage::submitting) << "looked for, and announced, after a death";
    EXPECT_EQ(step(polling, failing(ErrorKind::unknown)).stage, Stage::submitting);
    EXPECT_EQ(step(polling, Postponed{30s, true}).stage, Stage::at_authority);
    const auto refused_connection = step(polling, failing(ErrorKind::unavailable));
    EXPECT_EQ(refused_connection.stage, Stage::at_authority) << "what did not leave is still pending there";
    EXPECT_EQ(refused_connection.authority_request_id, "7");
    const auto given_up_on = given_up(polling, ErrorKind::unknown);
    ASSERT_EQ(given_up_on.stage, Stage::abandoned);
    EXPECT_EQ(step(given_up_on, Revived{}).stage, Stage::submitting) << "never plainly polled again";
}

TEST(Machine, AnActBeginsWithItsMarkThoughTheClockWasSetBack) {
    auto pending = step(issuing(Stage::submitting), TakenByAuthority{"7", 60s});
    pending.in_work = true;
    EXPECT_TRUE(step(pending, SubmissionBegins{}, now() - std::chrono::days{300}).in_work);
}

TEST(Machine, WhatKillsTheProcessWhileItIsSubmittedDoesNotLoseItsDeathsByALook) {
    auto record = issuing(Stage::submitting);
    for (std::uint32_t deaths = 0; deaths < 2; ++deaths) {
        record.in_work = true;
        record = step(recover(record, now()), NeverArrived{});
        EXPECT_EQ(record.stage, Stage::keyed);
        record = step(record, SubmissionBegins{});
    }
    EXPECT_EQ(record.deaths, k_deaths_until_alone) << "worked alone";
    record.in_work = true;
    EXPECT_EQ(recover(record, now()).stage, Stage::abandoned);
}

TEST(Machine, WalksASigningRequestFromIntakeToItsEnd) {
    auto record = issuing(Stage::accepted);
    EXPECT_EQ(next(record), Step::admit);
    record = step(record, Keyed{{9, 9}, {8}, Bytes(16, 7), Sha256{}});
    EXPECT_EQ(record.stage, Stage::submitting);
    EXPECT_EQ(next(record), Step::find) << "read from the ledger, a submission may have arrived";
    record = step(record, Packed{{1}, {0x30}});
    EXPECT_EQ(record.stage, Stage::packaged);
    EXPECT_TRUE(record.sealed_key.empty()) << "no key outlives its package";
    EXPECT_EQ(next(record), Step::report);
    record = step(record, Reported{"accepted"});
    EXPECT_EQ(record.stage, Stage::closed);
    EXPECT_TRUE(record.sealed_package.empty());
    EXPECT_FALSE(record.revoke_certificate);
}

TEST(Machine, AnUnknownSubmissionIsLookedForAndNeverPlainlyRepeated) {
    auto record = step(issuing(Stage::submitting), failing(ErrorKind::unknown));
    EXPECT_EQ(record.stage, Stage::submitting);
    EXPECT_EQ(next(record), Step::find);
    EXPECT_GT(record.due_at, now());
    record = step(record, NeverArrived{});
    EXPECT_EQ(next(record), Step::submit);
}

TEST(Machine, ARepeatedSubmissionThatDidNotArriveSaysNothingOfTheFirst) {
    const auto record = step(issuing(Stage::submitting), failing_again(ErrorKind::unavailable));
    EXPECT_EQ(next(record), Step::find);
    EXPECT_TRUE(step(record, Dropped{Failure{"withdrawn", "", false, {}}}).revoke_certificate);
    const auto parked = step(issuing(Stage::submitting), failing_again(ErrorKind::unauthorized));
    EXPECT_EQ(next(parked), Step::find);
    EXPECT_EQ(parked.due_at, now() + RetryRules{}.credential_probe);
    EXPECT_TRUE(step(issuing(Stage::submitting), failing_again(ErrorKind::refused)).revoke_certificate)
        << "what is refused now may have been granted then";
}

TEST(Machine, ASubmissionThatCannotHaveArrivedIsSimplyMadeLater) {
    const auto record = step(issuing(Stage::submitting), failing(ErrorKind::unavailable));
    EXPECT_EQ(record.stage, Stage::keyed);
    EXPECT_EQ(record.tries, 1U);
    EXPECT_FALSE(record.sealed_key.empty());
}

TEST(Machine, GivingUpAnUnknownSubmissionLeavesItToBeRevoked) {
    const auto record = given_up(issuing(Stage::submitting), ErrorKind::unknown);
    EXPECT_EQ(record.stage, Stage::abandoned);
    EXPECT_EQ(next(record), Step::report);
    EXPECT_TRUE(record.revoke_certificate);
    const auto told = step(record, Reported{"accepted"});
    EXPECT_EQ(told.stage, Stage::revoking);
    EXPECT_TRUE(told.sealed_key.empty());
}

TEST(Machine, WhatWasGivenUpMayBeRevivedUntilItsReportIsTaken) {
    auto record = given_up(issuing(Stage::submitting), ErrorKind::unknown);
    EXPECT_FALSE(record.sealed_key.empty()) << "nothing is lost by giving up";
    record = step(record, Revived{});
    EXPECT_EQ(next(record), Step::find) << "it may have arrived";
    EXPECT_FALSE(record.failure);
    EXPECT_FALSE(record.revoke_certificate);
    EXPECT_EQ(record.tries, 0U);
    EXPECT_EQ(step(given_up(issuing(Stage::keyed), ErrorKind::unavailable), Revived{}).stage, Stage::submitting)
        << "it has a CSR";
    EXPECT_EQ(step(given_up(record_of(DeliverImported{}, Stage::accepted), ErrorKind::unavailable), Revived{}).stage,
              Stage::accepted);
    auto pending = issuing(Stage::at_authority);
    pending.authority_request_id = "7";
    EXPECT_EQ(step(given_up(pending, ErrorKind::timed_out), Revived{}).stage, Stage::at_authority);
}

TEST(Machine, AFaultInPackingThatPassesDoesNotRevokeWhatIsDeliveredLater) {
    auto record = step(issuing(Stage::submitting), IssuedHere{{0x30}, {}});
    record = step(record, failing(ErrorKind::unavailable, {0x30}));
    EXPECT_EQ(record.stage, Stage::issued);
    record = step(record, Packed{{1}, {0x30}});
    EXPECT_EQ(step(record, Reported{"accepted"}).stage, Stage::closed);
}

TEST(Machine, ADeathIsCountedOnce) {
    auto record = issuing(Stage::submitting);
    EXPECT_EQ(recover(record, now()).deaths, 0U) << "nobody had it";
    record.in_work = true;
    const auto once = recover(record, now());
    EXPECT_EQ(once.deaths, 1U);
    EXPECT_EQ(recover(once, now()).deaths, 1U);
    EXPECT_EQ(once.stage, Stage::submitting);
}

TEST(Machine, TheThirdDeathSetsARequestAside) {
    auto record = issuing(Stage::submitting);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(works_alone(record), i == 2);
        record.in_work = true;
        record = recover(record, now());
    }
    EXPECT_EQ(record.stage, Stage::abandoned);
    EXPECT_EQ(record.failure->code, "internal");
    EXPECT_TRUE(record.revoke_certificate) << "it may have arrived";

    auto orphan = step(step(issuing(Stage::submitting), Packed{{1}, {0x30}}), Reported{"cancelled"});
    orphan.deaths = 2;
    orphan.in_work = true;
    orphan = recover(orphan, now());
    EXPECT_EQ(next(orphan), Step::rest) << "its report was taken long ago";
    EXPECT_EQ(next(step(orphan, Revived{})), Step::revoke);
}

TEST(Machine, AStepThatIsDoneForgetsDeathsAndFailures) {
    auto record = issuing(Stage::keyed);
    record.deaths = 2;
    record = step(record, failing(ErrorKind::unavailable));
    EXPECT_TRUE(record.failing_since);
    record = step(record, TakenByAuthority{"7", 60s});
    EXPECT_EQ(record.deaths, 0U);
    EXPECT_FALSE(record.failing_since);
    EXPECT_EQ(step(record, failing(ErrorKind::timed_out), now() + std::chrono::days{5}).stage, Stage::at_authority)
        << "an approval may take days; only failing counts";
}

TEST(Machine, TheMarkLastsAsLongAsThereIsSomethingToDoNow) {
    auto record = issuing(Stage::accepted);
    record.in_work = true;
    record = step(record, Keyed{{9, 9}, {8}, Bytes(16, 7), Sha256{}});
    EXPECT_TRUE(record.in_work);
    EXPECT_FALSE(step(record, failing(ErrorKind::unavailable)).in_work) << "it waits";
    EXPECT_FALSE(step(record, Packed{{1}, {0x30}}).in_work) << "the reporter's";
    EXPECT_FALSE(step(record, Held{{HeldReason::limit, ""}}).in_work);
}

TEST(Machine, WhatWasPutOffBeforeItWasSentIsNotLookedFor) {
    EXPECT_EQ(next(step(issuing(Stage::submitting), Postponed{30s, true})), Step::submit);
    EXPECT_EQ(next(step(issuing(Stage::submitting), Postponed{30s, false})), Step::find) << "it may have been sent";
    EXPECT_EQ(step(issuing(Stage::at_authority), Postponed{30s, true}).stage, Stage::at_authority);
}

TEST(Machine, AnAuthoritysWishToWaitIsBounded) {
    const auto record = step(issuing(Stage::submitting), TakenByAuthority{"7", std::chrono::hours{24 * 365}});
    EXPECT_LT(record.due_at, now() + k_longest_wait);
}

struct FinalCase {
    ErrorKind kind;
    bool final;
    bool retryable;
};
class Dispositions : public testing::TestWithParam<FinalCase> {};
TEST_P(Dispositions, DecideByTheKindAlone) {
    const auto& given = GetParam();
    const auto record = step(issuing(Stage::keyed), failing(given.kind));
    EXPECT_EQ(record.stage == Stage::refused, given.final);
    if (given.final) {
        ASSERT_TRUE(record.failure);
        EXPECT_EQ(record.failure->retryable, given.retryable);
        EXPECT_TRUE(record.sealed_key.empty());
    } else {
        EXPECT_GT(record.due_at, now());
        EXPECT_EQ(record.tries, 1U);
    }
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, Dispositions,
    testing::Values(FinalCase{ErrorKind::invalid, true, false}, FinalCase{ErrorKind::refused, true, false},
                    FinalCase{ErrorKind::internal, true, false}, FinalCase{ErrorKind::integrity, true, false},
                    FinalCase{ErrorKind::misconfigured, true, true}, FinalCase{ErrorKind::unavailable, false, false},
                    FinalCase{ErrorKind::timed_out, false, false}, FinalCase{ErrorKind::throttled, false, false},
                    FinalCase{ErrorKind::conflict, false, false}, FinalCase{ErrorKind::cancelled, false, false},
                    FinalCase{ErrorKind::unknown, false, false}, FinalCase{ErrorKind::unauthorized, false, false}));

TEST(Machine, ATransientFaultIsGivenUpAfterItsBudgetAndMayBeAskedForAgain) {
    const auto record = given_up(issuing(Stage::keyed), ErrorKind::unavailable);
    EXPECT_EQ(record.stage, Stage::abandoned);
    EXPECT_TRUE(record.failure->retryable);
}

TEST(Machine, AClockThatJumpsAheadGivesNothingUp) {
    auto record = step(issuing(Stage::keyed), failing(ErrorKind::unavailable));
    record = step(record, failing(ErrorKind::unavailable), now() + std::chrono::days{3650});
    EXPECT_EQ(record.stage, Stage::keyed);
}

TEST(Machine, TriesAreBounded) {
    auto record = issuing(Stage::keyed);
    std::uint32_t tries = 0;
    for (; record.stage != Stage::abandoned && tries <= RetryRules{}.most_tries; ++tries)
        record = step(record, failing(ErrorKind::unavailable));
    EXPECT_EQ(tries, RetryRules{}.most_tries);
}

TEST(Machine, ARefusedCredentialOfAnAuthorityParksWithoutEnd) {
    const auto record = step(issuing(Stage::keyed), failing(ErrorKind::unauthorized), now() + 48h);
    EXPECT_EQ(record.stage, Stage::keyed);
    EXPECT_EQ(record.due_at, now() + 48h + RetryRules{}.credential_probe);
}

TEST(Machine, AnOrderThatWasTakenOutlivesAMisconfigurationForItsBudget) {
    const auto pending = step(issuing(Stage::submitting), TakenByAuthority{"7", 60s});
    const auto later = step(pending, failing(ErrorKind::misconfigured));
    EXPECT_EQ(later.stage, Stage::at_authority);
    EXPECT_GT(later.due_at, now());
    EXPECT_FALSE(later.sealed_key.empty());
    const auto polling = step(pending, SubmissionBegins{}, pending.due_at);
    EXPECT_EQ(step(polling, failing(ErrorKind::misconfigured)).stage, Stage::at_authority);
    const auto at_last = given_up(pending, ErrorKind::misconfigured);
    EXPECT_EQ(at_last.stage, Stage::abandoned);
    EXPECT_TRUE(at_last.failure->retryable);
    EXPECT_TRUE(at_last.revoke_certificate);
}

TEST(Machine, AWrongCertificateIsReportedAndThenRevoked) {
    auto record = step(issuing(Stage::submitting), failing(ErrorKind::refused, {0x30}));
    EXPECT_EQ(record.stage, Stage::refused);
    record = step(record, Reported{"accepted"});
    EXPECT_EQ(record.stage, Stage::revoking);
    EXPECT_EQ(next(record), Step::revoke);
    EXPECT_EQ(step(record, RevokedNow{}).stage, Stage::closed);
}

struct OrphanCase {
    std::string outcome;
    bool still_wanted;
    bool orphan;
};
class Orphans : public testing::TestWithParam<OrphanCase> {};
TEST_P(Orphans, AreWhatDidNotReachItsDevice) {
    const auto& given = GetParam();
    auto record = step(issuing(Stage::submitting), Packed{{1}, {0x30}});
    record = step(record, Reported{given.outcome, given.still_wanted});
    EXPECT_EQ(record.stage, given.orphan ? Stage::revoking : Stage::closed);
    EXPECT_EQ(record.outcome, given.outcome);
}
INSTANTIATE_TEST_SUITE_P(Outcomes, Orphans,
                         testing::Values(OrphanCase{"accepted", false, false}, OrphanCase{"duplicate", false, false},
                                         OrphanCase{"superseded", false, true}, OrphanCase{"superseded", true, false},
                                         OrphanCase{"cancelled", false, true}, OrphanCase{"rejected", false, true}));

TEST(Machine, WhatTheServiceHoldsIsKeptWhileACertificateIsLookedFor) {
    const std::vector<Sha256> held{Sha256{}};
    auto record = step(issuing(Stage::submitting), Dropped{Failure{"abandoned", "", false, {}}});
    record = step(record, Reported{"superseded", false, held});
    EXPECT_EQ(record.stage, Stage::revoking);
    EXPECT_EQ(record.held_by_service, held);
    EXPECT_TRUE(step(record, RevokedNow{}).held_by_service.empty());
    auto known = step(issuing(Stage::submitting), Packed{{1}, {0x30}});
    EXPECT_TRUE(step(known, Reported{"superseded", false, held}).held_by_service.empty()) << "compared already";
}

TEST(Machine, AnImportedCertificateIsNeverRevoked) {
    auto record = step(record_of(DeliverImported{}, Stage::accepted), Packed{{1}, {}});
    record = step(record, Reported{"cancelled"});
    EXPECT_EQ(record.stage, Stage::closed);
    EXPECT_FALSE(record.revoke_certificate);
}

TEST(Machine, AWithdrawnSubmissionIsLookedForAndRevoked) {
    const Dropped withdrawn{Failure{"withdrawn", "", false, {}}};
    EXPECT_FALSE(step(issuing(Stage::keyed), withdrawn).revoke_certificate) << "nothing can have arrived";
    EXPECT_TRUE(step(issuing(Stage::submitting), withdrawn).revoke_certificate);
    EXPECT_TRUE(step(issuing(Stage::at_authority), withdrawn).revoke_certificate);
    auto packaged = step(issuing(Stage::submitting), Packed{{1}, {0x30}});
    packaged = step(packaged, withdrawn);
    EXPECT_TRUE(packaged.revoke_certificate);
    EXPECT_TRUE(packaged.sealed_package.empty());
    EXPECT_EQ(packaged.failure->code, "withdrawn");
}

TEST(Machine, AHeldRequestRestsAndGoesOnWhereItStood) {
    auto record = step(issuing(Stage::accepted), Held{{HeldReason::key_change, "another key"}});
    EXPECT_EQ(next(record), Step::rest);
    EXPECT_EQ(record.waiting_since, now());
    EXPECT_EQ(step(record, Released{}).stage, Stage::accepted);
    auto issued = step(issuing(Stage::submitting), IssuedHere{{0x30}, {}});
    issued = step(issued, Held{{HeldReason::key_change, "another key"}});
    EXPECT_EQ(step(issued, Released{}).stage, Stage::issued) << "what is issued is not asked for twice";
}

TEST(Machine, EachWaitBeginsAnew) {
    auto record = step(issuing(Stage::accepted), Held{{HeldReason::key_change, ""}});
    record.waiting_since = now() - std::chrono::days{9};
    EXPECT_EQ(step(record, Held{{HeldReason::key_change, ""}}).waiting_since, record.waiting_since) << "one hold";
    record = step(record, Released{});
    EXPECT_FALSE(record.waiting_since);
    const auto packed = step(issuing(Stage::submitting), Packed{{1}, {0x30}});
    EXPECT_EQ(packed.waiting_since, now()) << "from when it was made, however long it was held before";
    auto abandoned = packed;
    abandoned.stage = Stage::abandoned;
    abandoned.waiting_since = now() - std::chrono::days{9};
    EXPECT_EQ(step(abandoned, Held{{HeldReason::approval, ""}}).waiting_since, now());
}

TEST(Machine, OnlyAHoldForALimitWaivesTheLimit) {
    auto limit = step(step(issuing(Stage::accepted), Held{{HeldReason::limit, ""}}), Released{});
    EXPECT_TRUE(limit_waived(limit));
    auto change = step(step(issuing(Stage::accepted), Held{{HeldReason::key_change, ""}}), Released{});
    EXPECT_FALSE(limit_waived(change));
    EXPECT_FALSE(limit_waived(step(issuing(Stage::accepted), Held{{HeldReason::limit, ""}})));
}

TEST(Machine, ALostLeaseEndsOnlyWhatWasNotSubmitted) {
    for (const auto stage : {Stage::accepted, Stage::keyed}) {
        const auto record = step(issuing(stage), LeaseLost{});
        EXPECT_EQ(record.stage, Stage::closed) << to_string(stage);
        EXPECT_TRUE(record.sealed_key.empty());
    }
    for (const auto stage : {Stage::submitting, Stage::at_authority, Stage::issued, Stage::packaged, Stage::refused})
        EXPECT_EQ(step(issuing(stage), LeaseLost{}).stage, stage);
}

TEST(Backoff, GrowsIsBoundedAndObeysWhatWasAsked) {
    const Backoff rules{2s, 900s};
    EXPECT_EQ(delay_after(rules, 1, 0.999999, std::nullopt), 1s);
    EXPECT_EQ(delay_after(rules, 5, 0.5, std::nullopt), 16s);
    EXPECT_EQ(delay_after(rules, 60, 1.0, std::nullopt), 900s);
    EXPECT_EQ(delay_after(rules, 1, 0.0, std::nullopt), 1s) << "never a busy loop";
    EXPECT_EQ(delay_after(rules, 1, 0.0, 30s), 30s);
    EXPECT_EQ(delay_after(rules, 1, 0.0, std::chrono::seconds{31536000}), 3600s) << "a year is clamped to an hour";
}

TEST(Machine, AHoldThatNobodyEndsIsToldByItsReasonAndMayBeAskedAgain) {
    const std::vector<std::pair<HeldReason, std::string>> ends{
        {HeldReason::key_change, "recipientChanged"},   {HeldReason::user_change, "recipientChanged"},
        {HeldReason::too_many_devices, "limitReached"}, {HeldReason::limit, "limitReached"},
        {HeldReason::new_recipient, "approvalNeeded"},  {HeldReason::approval, "approvalNeeded"}};
    for (const auto& [reason, code] : ends) {
        const auto failure = end_of_hold(reason);
        EXPECT_EQ(failure.code, code) << to_string(reason);
        EXPECT_TRUE(failure.retryable) << to_string(reason);
    }
}

}  // namespace
}  // namespace connector::request
