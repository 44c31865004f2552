#include "core/request/machine.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>
#include <utility>

namespace connector::request {
namespace {

bool is_issuing(Kind kind) noexcept {
    return kind == Kind::pkcs_issue || kind == Kind::pkcs_renew;
}

bool at_the_authority(Stage stage) noexcept {
    return stage == Stage::keyed || stage == Stage::submitting || stage == Stage::at_authority;
}

// A step that was done leaves its failures behind.
void move_to(RequestRecord& record, Stage stage, UtcTime due) {
    record.stage = stage;
    record.tries = 0;
    record.deaths = 0;
    record.failing_since.reset();
    record.due_at = due;
}

bool is_workers(Step step) noexcept {
    return step != Step::report && step != Step::rest;
}

// The disposition table: what an error means for the request, by its kind alone.
enum class Disposition { tell, try_again, reconcile, park };

Disposition disposition_of(const RequestRecord& record, ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::invalid:
        case ErrorKind::refused:
        case ErrorKind::internal:
        case ErrorKind::integrity: return Disposition::tell;
        case ErrorKind::misconfigured:
            // It has taken the order, and so it was well then.
            return record.authority_request_id.empty() ? Disposition::tell : Disposition::try_again;
        case ErrorKind::unavailable:
        case ErrorKind::timed_out:
        case ErrorKind::throttled:
        case ErrorKind::conflict:
        case ErrorKind::cancelled: return Disposition::try_again;
        case ErrorKind::unknown: return Disposition::reconcile;
        case ErrorKind::unauthorized:
            return at_the_authority(record.stage) ? Disposition::park : Disposition::try_again;
    }
    return Disposition::tell;
}

// Whether one more failure is the last.
bool budget_spent(const RequestRecord& record, const RetryRules& rules, UtcTime now) noexcept {
    const auto tries = record.tries + 1;
    const bool time_is_up = record.failing_since && now - *record.failing_since >= rules.budget;
    return tries >= rules.most_tries || (time_is_up && tries >= rules.fewest_tries);
}

// Codes that the contract's table marks as worth asking again for.
bool is_retryable(const Error& error) noexcept {
    switch (error.kind) {
        case ErrorKind::unavailable:
        case ErrorKind::timed_out:
        case ErrorKind::throttled:
        case ErrorKind::unknown:
        case ErrorKind::unauthorized:
        case ErrorKind::misconfigured:
        case ErrorKind::conflict:
        case ErrorKind::cancelled: return true;
        case ErrorKind::invalid:
        case ErrorKind::refused:
        case ErrorKind::integrity:
        case ErrorKind::internal: return false;
    }
    return false;
}

// The service knows these words and no others (management API, "Results"); what else goes wrong is our fault.
bool is_result_code(std::string_view code) noexcept {
    static constexpr std::array k_codes{std::string_view("invalidRequest"),
                                        std::string_view("unsupported"),
                                        std::string_view("policyRefused"),
                                        std::string_view("recipientUntrusted"),
                                        std::string_view("recipientUnbound"),
                                        std::string_view("recipientChanged"),
                                        std::string_view("approvalNeeded"),
                                        std::string_view("limitReached"),
                                        std::string_view("authorityMisconfigured"),
                                        std::string_view("authorityRejected"),
                                        std::string_view("authorityUnreachable"),
                                        std::string_view("certificateMismatch"),
                                        std::string_view("importNotFound"),
                                        std::string_view("importUndecryptable"),
                                        std::string_view("importUnsigned"),
                                        std::string_view("importInvalid"),
                                        std::string_view("withdrawn"),
                                        std::string_view("abandoned"),
                                        std::string_view("notIssuedHere"),
                                        std::string_view("internal")};
    return std::find(k_codes.begin(), k_codes.end(), code) != k_codes.end();
}

Failure as_told(Failure failure) {
    if (!is_result_code(failure.code)) failure.code = "internal";
    return failure;
}

void refuse(RequestRecord& record, Failure failure, UtcTime now) {
    record.failure = as_told(std::move(failure));
    record.sealed_key.clear();
    record.sealed_package.clear();
    move_to(record, Stage::refused, now);
}

// Given up, not refused: key, CSR and nonce stay until the service has taken the report, so that it can be revived.
void abandon(RequestRecord& record, Failure failure, UtcTime now) {
    // Nobody knows what became of the last order; the name of an earlier answer says nothing of it.
    if (record.stage == Stage::submitting) record.authority_request_id.clear();
    // What may have reached the authority is looked for and revoked after the report.
    record.revoke_certificate = record.revoke_certificate || !record.certificate.empty() ||
                                record.stage == Stage::submitting || record.stage == Stage::at_authority;
    record.failure = as_told(std::move(failure));
    move_to(record, Stage::abandoned, now);
}

// Where an order stands that did not leave.
Stage stage_of_unsent(const RequestRecord& record) noexcept {
    return record.authority_request_id.empty() ? Stage::keyed : Stage::at_authority;
}

// Where a request stands, as its facts tell.
Stage stage_of_facts(const RequestRecord& record) noexcept {
    if (record.outcome) return Stage::revoking;
    if (!record.certificate.empty()) return Stage::issued;
    if (!record.authority_request_id.empty()) return Stage::at_authority;
    return record.csr.empty() ? Stage::accepted : Stage::submitting;
}

void fail(RequestRecord& record, const Failed& failed, const RetryRules& rules, UtcTime now, double jitter) {
    const Error& error = failed.error;
    if (record.stage == Stage::revoking) {
        ++record.tries;
        record.due_at = now + delay_after(rules.backoff, record.tries, jitter, error.retry_after);
        return;
    }
    if (!record.failing_since) record.failing_since = now;
    if (!failed.certificate.empty()) record.certificate = failed.certificate;
    if (is_final(record, error, rules, now)) {
        Failure failure{error.code, error.message, is_retryable(error), std::nullopt};
        if (disposition_of(record, error.kind) == Disposition::tell) {
            record.revoke_certificate = record.revoke_certificate || !failed.certificate.empty() || failed.may_be_there;
            refuse(record, std::move(failure), now);
        } else {
            abandon(record, std::move(failure), now);
        }
        return;
    }
    ++record.tries;
    const auto pause = disposition_of(record, error.kind) == Disposition::park
                           ? rules.credential_probe
                           : delay_after(rules.backoff, record.tries, jitter, error.retry_after);
    record.due_at = now + pause;
    // Nothing arrived, so nothing needs to be looked for; an unknown submission stays `submitting` and is looked for.
    if (record.stage == Stage::submitting && error.kind != ErrorKind::unknown && !failed.may_be_there)
        record.stage = stage_of_unsent(record);
}

void report(RequestRecord& record, const Reported& reported, UtcTime now) {
    record.outcome = reported.outcome;
    const bool good = reported.outcome == "accepted" || reported.outcome == "duplicate";
    const bool delivered = record.stage == Stage::packaged && good;
    // An own certificate that did not reach its device is an orphan, unless the service says it holds just that one.
    const bool undelivered = !record.certificate.empty() && is_issuing(record.request.kind()) && !delivered;
    const bool orphan = (undelivered || record.revoke_certificate) && !reported.still_wanted;
    record.revoke_certificate = orphan;
    // One that is looked for only now may be among them.
    if (orphan && record.certificate.empty()) record.held_by_service = reported.held_by_service;
    record.sealed_package.clear();
    record.sealed_key.clear();
    move_to(record, orphan ? Stage::revoking : Stage::closed, now);
}

}  // namespace

Step next(const RequestRecord& record) noexcept {
    switch (record.stage) {
        case Stage::accepted:
            switch (record.request.kind()) {
                case Kind::pkcs_issue:
                case Kind::pkcs_renew: return Step::admit;
                case Kind::pfx_deliver: return Step::deliver;
                case Kind::pfx_withdraw: return Step::withdraw;
                case Kind::certificate_revoke: return Step::rest;
            }
            return Step::rest;
        case Stage::keyed: return Step::submit;
        case Stage::submitting: return Step::find;
        case Stage::at_authority: return Step::poll;
        case Stage::issued: return Step::pack;
        case Stage::packaged:
        case Stage::refused: return Step::report;
        case Stage::abandoned: return record.outcome ? Step::rest : Step::report;
        case Stage::revoking: return Step::revoke;
        case Stage::held:
        case Stage::closed: return Step::rest;
    }
    return Step::rest;
}

bool is_final(const RequestRecord& record, const Error& error, const RetryRules& rules, UtcTime now) noexcept {
    const auto disposition = disposition_of(record, error.kind);
    return disposition == Disposition::tell || (disposition != Disposition::park && budget_spent(record, rules, now));
}

RequestRecord after(RequestRecord record, const Outcome& outcome, const RetryRules& rules, UtcTime now, double jitter) {
    if (record.stage == Stage::closed) return record;
    record.updated_at = now;
    std::visit(
        [&](const auto& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, Keyed>) {
                record.sealed_key = what.sealed_key;
                record.csr = what.csr;
                record.submission_nonce = what.submission_nonce;
                record.spki_sha256 = what.spki_sha256;
                move_to(record, Stage::submitting, now);
            } else if constexpr (std::is_same_v<What, SubmissionBegins>) {
                record.stage = Stage::submitting;
                record.due_at = std::min(record.due_at, now);
            } else if constexpr (std::is_same_v<What, Counted>) {
                // nothing moves
            } else if constexpr (std::is_same_v<What, IssuedHere>) {
                record.certificate = what.certificate;
                record.chain = what.chain;
                move_to(record, Stage::issued, now);
            } else if constexpr (std::is_same_v<What, TakenByAuthority>) {
                record.authority_request_id = what.authority_request_id;
                move_to(record, Stage::at_authority,
                        now + std::clamp<std::chrono::seconds>(what.retry_after, std::chrono::seconds{1},
                                                               k_longest_wait - std::chrono::hours{1}));
            } else if constexpr (std::is_same_v<What, NeverArrived>) {
                // Only a look: the submission that ends the process, or fails, has yet to be done.
                record.stage = Stage::keyed;
                record.due_at = now;
            } else if constexpr (std::is_same_v<What, Packed>) {
                record.sealed_package = what.sealed_package;
                if (!what.certificate.empty()) record.certificate = what.certificate;
                record.sealed_key.clear();
                record.csr.clear();
                record.waiting_since = now;
                move_to(record, Stage::packaged, now);
            } else if constexpr (std::is_same_v<What, Completed>) {
                record.sealed_key.clear();
                record.waiting_since = now;
                move_to(record, Stage::packaged, now);
            } else if constexpr (std::is_same_v<What, Held>) {
                record.held_reason = what.hold.reason;
                record.held_detail = what.hold.detail;
                if (record.stage != Stage::held || !record.waiting_since) record.waiting_since = now;
                move_to(record, Stage::held, now);
            } else if constexpr (std::is_same_v<What, Failed>) {
                fail(record, what, rules, now, jitter);
            } else if constexpr (std::is_same_v<What, Dropped>) {
                // What may have reached the authority is looked for and revoked after the report.
                record.revoke_certificate = record.revoke_certificate || !record.certificate.empty() ||
                                            record.stage == Stage::submitting || record.stage == Stage::at_authority;
                refuse(record, what.failure, now);
            } else if constexpr (std::is_same_v<What, Released>) {
                record.held_detail.clear();
                record.waiting_since.reset();
                if (!what.waived) record.held_reason.reset();
                move_to(record, record.certificate.empty() ? Stage::accepted : Stage::issued, now);
            } else if constexpr (std::is_same_v<What, Revived>) {
                record.failure.reset();
                record.revoke_certificate = record.outcome.has_value();
                move_to(record, stage_of_facts(record), now);
            } else if constexpr (std::is_same_v<What, Reported>) {
                report(record, what, now);
            } else if constexpr (std::is_same_v<What, Postponed>) {
                if (next(record) == Step::report) ++record.tries;
                if (what.never_sent && record.stage == Stage::submitting) record.stage = stage_of_unsent(record);
                record.due_at = now + what.delay;
            } else if constexpr (std::is_same_v<What, RevokedNow>) {
                record.revoke_certificate = false;
                record.held_by_service.clear();
                record.sealed_key.clear();
                record.sealed_package.clear();
                move_to(record, Stage::closed, now);
            } else {
                static_assert(std::is_same_v<What, LeaseLost>);
                // What was never submitted can be started anew by whoever leases it next; what was goes on.
                if (record.stage == Stage::accepted || record.stage == Stage::keyed ||
                    (record.stage == Stage::held && record.certificate.empty())) {
                    record.outcome = "leaseLost";
                    record.sealed_key.clear();
                    record.csr.clear();
                    move_to(record, Stage::closed, now);
                }
            }
        },
        outcome);
    record.in_work = record.in_work && is_workers(next(record)) && record.due_at <= now;
    return record;
}

RequestRecord recover(RequestRecord record, UtcTime now) {
    if (!record.in_work) return record;
    record.in_work = false;
    record.updated_at = now;
    record.due_at = now;
    if (++record.deaths <= k_deaths_until_alone) return record;
    if (record.outcome) {  // an orphan's revocation: nobody waits for a report
        record.stage = Stage::abandoned;
        return record;
    }
    abandon(record,
            Failure{"internal", "the connector ended three times while working on this request", false, std::nullopt},
            now);
    return record;
}

Failure end_of_hold(HeldReason reason) {
    switch (reason) {
        case HeldReason::key_change:
        case HeldReason::user_change:
            return {"recipientChanged", "a changed recipient was not approved in time", true, std::nullopt};
        case HeldReason::limit:
        case HeldReason::too_many_devices:
            return {"limitReached", "over a limit, and not let go in time", true, std::nullopt};
        case HeldReason::new_recipient:
        case HeldReason::approval: break;
    }
    return {"approvalNeeded", "nobody approved it in time", true, std::nullopt};
}

}  // namespace connector::request
