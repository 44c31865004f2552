// Random walks of one request through the machine, with the process ending in between: before a commit, after it, and
// between an act and its commit. Beside the machine runs what really happened at the authority and at the service; at
// the end the two must agree.
#include "core/request/machine.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace connector::request {
namespace {

using namespace std::chrono_literals;

class Walk {
public:
    Walk(std::uint32_t seed, const Order& order) : dice_(seed) {
        durable_.request.id = *RequestId::parse("r-1");
        durable_.request.user = samples::alice();
        durable_.request.device = samples::phone();
        durable_.request.order = order;
        durable_.accepted_at = durable_.due_at = when_;
        issuing_ = durable_.request.profile() != nullptr;
        rough_ = dice_() % 4 == 0;
        finds_ = dice_() % 2 == 0;
    }

    void go() {
        const int troubled = static_cast<int>(dice_() % 40);
        for (int i = 0; i < troubled && !testing::Test::HasFailure(); ++i) turn();
        calm_ = true;
        constexpr int k_most = 60;
        for (int i = 0; i < k_most && durable_.stage != Stage::closed && !testing::Test::HasFailure(); ++i) turn();
        EXPECT_EQ(durable_.stage, Stage::closed) << "without trouble it comes to its end";
        if (delivered_) {
            EXPECT_FALSE(revoked_) << "nothing delivered is revoked";
        }
        if (issued_ && !delivered_) {
            EXPECT_TRUE(revoked_) << "a certificate that nobody got is revoked";
        }
        if (issuing_ && !lease_lost_) {
            EXPECT_TRUE(told_) << "the service hears how it ended";
        }
    }

    [[nodiscard]] std::map<Stage, std::uint64_t> stages() const { return stages_; }
    [[nodiscard]] bool revoked() const { return revoked_; }
    [[nodiscard]] bool delivered() const { return delivered_; }
    [[nodiscard]] std::uint64_t deaths() const { return deaths_; }

private:
    bool chance(unsigned percent) { return !calm_ && dice_() % 100 < percent; }
    // What goes wrong at a call, or in a crash: in some walks nearly always, so that budgets end and deaths add up.
    bool mishap(unsigned percent) { return chance(rough_ ? std::min(80U, percent * 8) : percent); }

    bool commit(RequestRecord next_record) {
        if (mishap(4)) return die(false);
        if (next_record.stage == Stage::closed && durable_.stage != Stage::closed &&
            durable_.stage != Stage::revoking && !reporting_)
            lease_lost_ = true;
        EXPECT_TRUE(durable_.stage != Stage::closed || next_record.stage == Stage::closed)
            << "a final stage is never left";
        durable_ = std::move(next_record);
        ++stages_[durable_.stage];
        holds_together();
        return !mishap(4) || die(true);
    }

    bool die(bool /*after*/) {
        ++deaths_;
        if (durable_.in_work && durable_.deaths == k_deaths_until_alone) ++stages_[Stage::abandoned];
        const auto before = durable_;
        durable_ = recover(durable_, when_);
        const auto again = recover(durable_, when_ + 1s);
        EXPECT_EQ(again.deaths, durable_.deaths);
        EXPECT_EQ(again.stage, durable_.stage);
        if (before.stage == Stage::submitting && durable_.stage == Stage::submitting) {
            EXPECT_EQ(next(durable_), Step::find) << "it asks before it repeats";
        }
        holds_together();
        return false;
    }

    // What each stage needs to go on from, and must not have.
    void holds_together() {
        const auto& one = durable_;
        const std::string what = std::string(to_string(one.stage));
        const bool before_packing = one.stage == Stage::keyed || one.stage == Stage::submitting ||
                                    one.stage == Stage::at_authority || one.stage == Stage::issued;
        if (before_packing) {
            EXPECT_FALSE(one.sealed_key.empty() || one.csr.empty() || one.submission_nonce.empty()) << what;
        }
        if (one.stage == Stage::at_authority) {
            EXPECT_FALSE(one.authority_request_id.empty());
        }
        if (one.stage == Stage::issued || (one.stage == Stage::packaged && issuing_)) {
            EXPECT_FALSE(one.certificate.empty()) << what;
        }
        if (one.stage == Stage::packaged || one.stage == Stage::refused || one.stage == Stage::revoking ||
            one.stage == Stage::closed) {
            EXPECT_TRUE(one.sealed_key.empty()) << what;
        }
        if (one.stage == Stage::refused || one.stage == Stage::revoking || one.stage == Stage::closed) {
            EXPECT_TRUE(one.sealed_package.empty()) << what;
        }
        if (one.stage == Stage::refused || (one.stage == Stage::abandoned && !one.outcome)) {
            EXPECT_TRUE(one.failure) << what;
        }
        if (one.stage == Stage::keyed) {
            EXPECT_FALSE(issued_ && !revoked_) << "what may have arrived is looked for, never plainly repeated";
        }
        if (one.stage != Stage::revoking) {
            EXPECT_LT(one.tries, RetryRules{}.most_tries);
        }
        EXPECT_LE(one.deaths, k_deaths_until_alone + 1) << what;
    }

    // Due, and in a worker's hands from now on.
    void turn() {
        when_ = std::max(when_, durable_.due_at) + std::chrono::seconds{dice_() % (rough_ ? 20000 : 100)};
        if (chance(4)) {
            commit(after(durable_, Dropped{Failure{"withdrawn", "by another", false, {}}}, rules_, when_, 0.5));
            return;
        }
        if (chance(3) && durable_.stage != Stage::refused && durable_.stage != Stage::packaged) {
            commit(after(durable_, LeaseLost{}, rules_, when_, 0.5));
            return;
        }
        reporting_ = false;
        switch (next(durable_)) {
            case Step::report: report(); return;
            case Step::rest: person(); return;
            default: break;
        }
        durable_.in_work = true;
        if (mishap(5)) {
            die(false);
            return;
        }
        work();
        durable_.in_work = false;  // put back
    }

    void person() {
        if (durable_.stage == Stage::held)
            commit(after(durable_, Released{}, rules_, when_, 0.5));
        else if (durable_.stage == Stage::abandoned)
            commit(after(durable_, Revived{}, rules_, when_, 0.5));
    }

    Failed failing() {
        static constexpr std::array k_kinds{ErrorKind::unavailable,   ErrorKind::throttled, ErrorKind::unauthorized,
                                            ErrorKind::misconfigured, ErrorKind::cancelled, ErrorKind::refused};
        return Failed{Error(k_kinds[dice_() % k_kinds.size()], "someCode", "why"), {}};
    }

    void work() {
        const auto step = next(durable_);
        if (chance(4)) {
            commit(after(durable_, Postponed{30s, step == Step::submit}, rules_, when_, 0.5));
            return;
        }
        switch (step) {
            case Step::admit:
                if (chance(10))
                    commit(after(durable_, Held{{HeldReason::limit, "why"}}, rules_, when_, 0.5));
                else if (mishap(10))
                    commit(after(durable_, failing(), rules_, when_, 0.5));
                else if (commit(after(durable_, Keyed{{1}, {2}, Bytes(16, 3), Sha256{}}, rules_, when_, 0.5)) &&
                         durable_.in_work)
                    submit();
                return;
            case Step::submit:
                if (commit(after(durable_, SubmissionBegins{}, rules_, when_, 0.5))) submit();
                return;
            case Step::find: find(); return;
            case Step::poll: poll(); return;
            case Step::pack: pack(durable_); return;
            case Step::deliver:
                if (chance(20))
                    commit(after(durable_, failing(), rules_, when_, 0.5));
                else
                    commit(after(durable_, Packed{{5}, {}}, rules_, when_, 0.5));
                return;
            case Step::withdraw: commit(after(durable_, Completed{}, rules_, when_, 0.5)); return;
            case Step::revoke: revoke(); return;
            case Step::report:
            case Step::rest: return;
        }
    }

    // The authority's side: it makes one certificate for this order, now or later.
    enum class There { nothing, pending, issued };
    void reaches_authority() {
        if (there_ == There::nothing && chance(30))
            there_ = There::pending;
        else
            there_ = There::issued;
        issued_ = there_ == There::issued;
    }
    void answered() {
        if (there_ == There::pending) {
            commit(after(durable_, TakenByAuthority{"7", 60s}, rules_, when_, 0.5));
            return;
        }
        pack(after(durable_, IssuedHere{{4}, {}}, rules_, when_, 0.0));  // in memory only
    }

    void submit() {
        EXPECT_EQ(durable_.stage, Stage::submitting) << "the intent is durable before the act";
        if (mishap(10)) {
            commit(after(durable_, failing(), rules_, when_, 0.5));
            return;
        }
        const bool arrives = !chance(10);
        if (arrives) reaches_authority();
        if (chance(5)) {
            die(true);
            return;
        }
        if (!arrives || chance(15))
            commit(after(durable_, unknown(), rules_, when_, 0.5));
        else
            answered();
    }

    static Failed unknown() { return Failed{Error(ErrorKind::unknown, "someCode", "no answer"), {}}; }

    void find() {
        if (!finds_) {  // the same order again is all that can be done
            if (mishap(15)) {
                auto failed = failing();
                failed.may_be_there = true;
                commit(after(durable_, failed, rules_, when_, 0.5));
                return;
            }
            reaches_authority();
            if (mishap(20))
                commit(after(durable_, unknown(), rules_, when_, 0.5));
            else
                answered();
            return;
        }
        if (mishap(20))
            commit(after(durable_, unknown(), rules_, when_, 0.5));
        else if (there_ == There::nothing)
            commit(after(durable_, NeverArrived{}, rules_, when_, 0.5));
        else
            answered();
    }

    void poll() {
        if (!finds_) {  // the order once more, as with EST
            if (commit(after(durable_, SubmissionBegins{}, rules_, when_, 0.5))) submit();
            return;
        }
        if (mishap(20)) {
            commit(
                after(durable_, Failed{Error(ErrorKind::timed_out, "someCode", "no answer"), {}}, rules_, when_, 0.5));
            return;
        }
        reaches_authority();
        answered();
    }

    void pack(RequestRecord memory) {
        if (mishap(15)) {
            auto failed = failing();
            failed.certificate = memory.certificate;
            commit(after(memory, failed, rules_, when_, 0.5));
        } else if (chance(8)) {
            commit(after(memory, Held{{HeldReason::key_change, "why"}}, rules_, when_, 0.5));
        } else {
            commit(after(memory, Packed{{5}, memory.certificate}, rules_, when_, 0.5));
        }
    }

    void revoke() {
        EXPECT_FALSE(delivered_);
        if (there_ == There::pending) there_ = There::issued, issued_ = true;  // found out by asking
        if (chance(15)) {
            commit(after(durable_, Failed{Error(ErrorKind::unavailable, "someCode", "why"), {}}, rules_, when_, 0.5));
            return;
        }
        if (there_ == There::issued) revoked_ = true;
        commit(after(durable_, RevokedNow{}, rules_, when_, 0.5));
    }

    void report() {
        reporting_ = true;
        if (chance(15)) {
            commit(after(durable_, Postponed{10s}, rules_, when_, 0.5));
            return;
        }
        const bool failed = durable_.failure.has_value();
        // What the service has judged once it judges for ever.
        if (judged_.empty()) judged_ = chance(20) ? "cancelled" : failed ? "failed" : "delivered";
        const bool good = judged_ == (failed ? "failed" : "delivered");
        if (good && !failed && issuing_) delivered_ = true;
        if (chance(15)) return;  // the answer is lost
        const std::string word = judged_ == "cancelled" ? "cancelled" : good ? "accepted" : "superseded";
        const bool still_wanted = word == "superseded" && delivered_;
        if (commit(after(durable_, Reported{word, still_wanted}, rules_, when_, 0.5)) || durable_.outcome) told_ = true;
    }

    std::mt19937 dice_;
    RetryRules rules_;
    RequestRecord durable_;
    UtcTime when_ = samples::now();
    bool issuing_ = false;
    bool calm_ = false;
    bool rough_ = false;
    bool finds_ = true;
    bool reporting_ = false;
    There there_ = There::nothing;
    bool issued_ = false;
    bool revoked_ = false;
    bool delivered_ = false;
    bool told_ = false;
    bool lease_lost_ = false;
    std::string judged_;
    std::uint64_t deaths_ = 0;
    std::map<Stage, std::uint64_t> stages_;
};

TEST(MachineWalk, HoweverOftenItDiesTheBooksAgreeAtTheEnd) {
    constexpr std::uint32_t k_walks = 20000;
    std::map<Stage, std::uint64_t> met;
    std::uint64_t revoked = 0;
    std::uint64_t delivered = 0;
    std::uint64_t deaths = 0;
    for (std::uint32_t seed = 1; seed <= k_walks; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Order order = seed % 8 == 0   ? Order(DeliverImported{})
                            : seed % 8 == 1 ? Order(Withdraw{})
                                            : Order(Issue{});
        Walk walk(seed, order);
        walk.go();
        if (HasFailure()) return;
        for (const auto& [stage, count] : walk.stages()) met[stage] += count;
        revoked += walk.revoked() ? 1U : 0U;
        delivered += walk.delivered() ? 1U : 0U;
        deaths += walk.deaths();
    }
    for (const auto stage : {Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued, Stage::packaged,
                             Stage::refused, Stage::held, Stage::abandoned, Stage::revoking, Stage::closed})
        EXPECT_GT(met[stage], k_walks / 100) << to_string(stage);
    EXPECT_GT(revoked, k_walks / 50);
    EXPECT_GT(delivered, k_walks / 4);
    EXPECT_GT(deaths, k_walks / 2);
}

}  // namespace
}  // namespace connector::request
