// Laws of the machine that hold for every stage and every outcome, not for chosen ones.
#include "core/request/machine.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <array>

namespace connector::request {
namespace {

using namespace std::chrono_literals;
using samples::now;

constexpr std::array k_stages{Stage::accepted,  Stage::keyed,    Stage::submitting, Stage::at_authority,
                              Stage::issued,    Stage::packaged, Stage::refused,    Stage::held,
                              Stage::abandoned, Stage::revoking, Stage::closed};
constexpr std::array k_errors{ErrorKind::invalid,       ErrorKind::refused,   ErrorKind::unauthorized,
                              ErrorKind::misconfigured, ErrorKind::throttled, ErrorKind::unavailable,
                              ErrorKind::timed_out,     ErrorKind::unknown,   ErrorKind::cancelled,
                              ErrorKind::integrity,     ErrorKind::conflict,  ErrorKind::internal};

std::vector<Order> orders() {
    return {Issue{}, Renew{}, DeliverImported{}, Withdraw{}, Revoke{}};
}

RequestRecord law_record(const Order& order, Stage stage) {
    RequestRecord record;
    record.request.id = *RequestId::parse("r-1");
    record.request.user = samples::alice();
    record.request.device = samples::phone();
    record.request.order = order;
    record.stage = stage;
    record.accepted_at = now();
    record.due_at = now();
    const bool issuing = record.request.profile() != nullptr;
    if (issuing && stage != Stage::accepted && stage != Stage::closed) {
        record.sealed_key = {1};
        record.csr = {2};
        record.submission_nonce = Bytes(16, 3);
    }
    if (stage == Stage::issued || stage == Stage::packaged || stage == Stage::revoking) record.certificate = {4};
    if (stage == Stage::packaged) {
        record.sealed_key.clear();
        record.sealed_package = {5};
    }
    if (stage == Stage::held) record.waiting_since = now();
    return record;
}

std::vector<Outcome> outcomes() {
    std::vector<Outcome> all{Keyed{{1}, {2}, Bytes(16, 3), Sha256{}},
                             SubmissionBegins{},
                             Counted{},
                             IssuedHere{{4}, {}},
                             TakenByAuthority{"17", 60s},
                             NeverArrived{},
                             Packed{{5}, {4}},
                             Packed{{5}, {}},
                             Completed{},
                             Held{trust::Hold{HeldReason::limit, "why"}},
                             Dropped{Failure{"withdrawn", "by another", false, {}}},
                             Released{},
                             Postponed{5s},
                             RevokedNow{},
                             LeaseLost{}};
    for (const auto* word : {"accepted", "duplicate", "superseded", "cancelled", "rejected"})
        for (const bool wanted : {false, true}) all.emplace_back(Reported{word, wanted});
    for (const auto kind : k_errors)
        for (const Bytes& certificate : {Bytes{}, Bytes{4}})
            all.emplace_back(Failed{Error(kind, "someCode", "why"), certificate});
    return all;
}

// Everything a record says that the machine may change.
std::string facts(const RequestRecord& record) {
    std::string text =
        std::string(to_string(record.stage)) + " " + to_rfc3339(record.due_at) + " " + std::to_string(record.tries);
    for (const auto* bytes :
         {&record.sealed_key, &record.csr, &record.submission_nonce, &record.certificate, &record.sealed_package})
        text += " " + to_hex(*bytes);
    text += record.failure ? " " + record.failure->code : " -";
    text += record.outcome ? " " + *record.outcome : " -";
    return text + (record.revoke_certificate ? " revoke" : "");
}

template <class Check>
void for_each(Check check) {
    for (const auto& order : orders())
        for (const auto stage : k_stages)
            for (const auto& outcome : outcomes())
                for (const auto later : {0s, std::chrono::seconds{25h}})
                    check(law_record(order, stage), outcome, now() + later);
}

TEST(MachineLaw, HasAnAnswerForEveryStageAndOutcome) {
    std::size_t cases = 0;
    for_each([&](const RequestRecord& before, const Outcome& outcome, UtcTime when) {
        const auto after_it = after(before, outcome, RetryRules{}, when, 0.5);
        EXPECT_TRUE(parse_stage(to_string(after_it.stage)).has_value());
        const auto step = next(after_it);
        // What is over or waits for a person is never worked.
        if (after_it.stage == Stage::closed || after_it.stage == Stage::held) {
            EXPECT_EQ(step, Step::rest);
        }
        ++cases;
    });
    EXPECT_EQ(cases, orders().size() * k_stages.size() * outcomes().size() * 2);
}

TEST(MachineLaw, NeverLeavesAFinalStage) {
    for_each([&](const RequestRecord& before, const Outcome& outcome, UtcTime when) {
        if (before.stage != Stage::closed) return;
        const auto later = after(before, outcome, RetryRules{}, when, 0.5);
        EXPECT_EQ(later.stage, Stage::closed) << "outcome " << outcome.index();
        EXPECT_TRUE(later.sealed_key.empty());
        EXPECT_TRUE(later.sealed_package.empty());
    });
}

TEST(MachineLaw, NoKeyOutlivesItsDelivery) {
    for_each([&](const RequestRecord& before, const Outcome& outcome, UtcTime when) {
        const auto later = after(before, outcome, RetryRules{}, when, 0.5);
        if (later.stage != Stage::packaged && later.stage != Stage::refused && later.stage != Stage::closed) return;
        // A stage that cannot be left by this outcome keeps what it had; one that is entered has dropped its key.
        if (later.stage != before.stage) {
            EXPECT_TRUE(later.sealed_key.empty()) << to_string(before.stage) << " outcome " << outcome.index();
        }
        if (later.stage == Stage::refused && before.stage != Stage::refused) {
            EXPECT_TRUE(later.sealed_package.empty());
        }
    });
}

// A crash is one more look at the same durable facts: looking twice changes nothing, and the step that follows an
// outcome that was lost is the step before it.
TEST(MachineLaw, RecoveryIsIdempotent) {
    for_each([&](const RequestRecord& before, const Outcome& outcome, UtcTime when) {
        const auto step = next(before);
        const auto once = after(before, outcome, RetryRules{}, when, 0.5);
        const auto again = after(before, outcome, RetryRules{}, when, 0.5);
        EXPECT_EQ(facts(once), facts(again));
        EXPECT_EQ(next(before), step);
        EXPECT_EQ(next(once), next(again));
    });
}

// Every record that the end of a process may leave behind.
template <class Check>
void for_each_left_behind(Check check) {
    for (const auto& order : orders())
        for (const auto stage : k_stages)
            for (const bool in_work : {false, true})
                for (std::uint32_t deaths = 0; deaths <= 4; ++deaths)
                    for (const bool told : {false, true})
                        for (const bool named : {false, true}) {
                            auto record = law_record(order, stage);
                            record.in_work = in_work;
                            record.deaths = deaths;
                            if (told) record.outcome = "cancelled";
                            if (named) record.authority_request_id = "17";
                            // What a worker can have: the mark ends with its work.
                            if (in_work && (next(record) == Step::rest || next(record) == Step::report)) continue;
                            check(record);
                        }
}

std::string all_facts(const RequestRecord& record) {
    return facts(record) + " deaths " + std::to_string(record.deaths) + (record.in_work ? " in work " : " ") +
           record.authority_request_id + " " + to_rfc3339(record.updated_at);
}

TEST(MachineLaw, ADeathThatIsLookedAtTwiceIsOneDeath) {
    for_each_left_behind([](const RequestRecord& left) {
        const auto once = recover(left, now() + 10s);
        EXPECT_EQ(all_facts(recover(once, now() + 20s)), all_facts(once)) << all_facts(left);
        EXPECT_FALSE(once.in_work);
        if (once.stage == left.stage) {
            EXPECT_EQ(once.deaths, left.deaths + (left.in_work ? 1 : 0));
        }
    });
}

TEST(MachineLaw, RecoveryLosesNoIntent) {
    for_each_left_behind([](const RequestRecord& left) {
        const auto recovered = recover(left, now() + 10s);
        const auto what = all_facts(left);
        EXPECT_EQ(recovered.sealed_key, left.sealed_key) << what;
        EXPECT_EQ(recovered.sealed_package, left.sealed_package) << what;
        EXPECT_EQ(recovered.csr, left.csr) << what;
        EXPECT_EQ(recovered.submission_nonce, left.submission_nonce) << what;
        EXPECT_EQ(recovered.certificate, left.certificate) << what;
        // An order that left, and of which nobody knows: the name of an earlier answer is no intent.
        const bool left_again = left.stage == Stage::submitting && !left.outcome;
        EXPECT_EQ(recovered.authority_request_id,
                  left_again && recovered.stage == Stage::abandoned ? "" : left.authority_request_id)
            << what;
        EXPECT_EQ(recovered.outcome, left.outcome) << what;
        if (recovered.stage == left.stage) {
            EXPECT_EQ(next(recovered), next(left)) << what;
            EXPECT_EQ(recovered.revoke_certificate, left.revoke_certificate) << what;
            return;
        }
        // Set aside: told once more or waiting for a person, and revived it goes on where it stood.
        EXPECT_EQ(recovered.stage, Stage::abandoned) << what;
        EXPECT_GE(left.deaths, k_deaths_until_alone) << what;
        EXPECT_EQ(next(recovered), left.outcome ? Step::rest : Step::report) << what;
        if (!left.outcome &&
            (left.stage == Stage::submitting || left.stage == Stage::at_authority || !left.certificate.empty())) {
            EXPECT_TRUE(recovered.revoke_certificate) << what;
        }
        const auto revived = after(recovered, Revived{}, RetryRules{}, now() + 20s, 0.5);
        EXPECT_EQ(revived.deaths, 0U);
        if (left.outcome) {
            EXPECT_EQ(next(revived), Step::revoke) << what;
        } else if (left.stage == Stage::submitting && !left.csr.empty()) {
            EXPECT_EQ(next(revived), left.authority_request_id.empty() || left_again ? Step::find : Step::poll) << what;
        }
    });
}

// Whatever keeps failing in whatever way ends within its budget, and in a bounded number of tries. Only a refused
// credential parks for ever (and is asked for every ten minutes), and a revocation is tried until it is done.
TEST(MachineLaw, AttemptsAreBounded) {
    const RetryRules rules;
    for (const auto& order : orders()) {
        for (const auto stage :
             {Stage::accepted, Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued}) {
            for (const auto kind : k_errors) {
                for (const double jitter : {0.0, 0.5, 0.999}) {
                    auto record = law_record(order, stage);
                    const bool parks =
                        kind == ErrorKind::unauthorized &&
                        (stage == Stage::keyed || stage == Stage::submitting || stage == Stage::at_authority);
                    UtcTime when = now();
                    std::uint64_t tries = 0;
                    constexpr std::uint64_t k_most = 100000;
                    const auto over = [&record] {
                        return record.stage == Stage::refused || record.stage == Stage::abandoned;
                    };
                    while (!over() && tries < k_most && when < now() + 26h) {
                        record =
                            after(std::move(record), Failed{Error(kind, "someCode", "why"), {}}, rules, when, jitter);
                        ASSERT_TRUE(over() || record.due_at > when) << "it would be tried again at once";
                        when = record.due_at;
                        ++tries;
                        ASSERT_EQ(record.failure.has_value(), over());
                    }
                    if (parks) {
                        EXPECT_FALSE(over());
                        EXPECT_LE(tries, 26U * 6U + 1U);
                        continue;
                    }
                    EXPECT_TRUE(over()) << to_string(stage) << " " << to_string(kind);
                    // One a second is the least pause there is.
                    EXPECT_LE(tries, 86401U);
                    if (jitter > 0.4) {
                        EXPECT_LE(tries, 400U);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace connector::request
