// The law of one request: what to do next, and what becomes of the record after it was done.
// Pure: no clock, no randomness, no I/O; a crash at any instant is just another input, since next() looks at
// durable facts alone. Follows the architecture, "The way of a signing request".
#pragma once

#include "core/request/backoff.hpp"
#include "core/request/record.hpp"
#include "core/trust/recipient.hpp"

#include <chrono>
#include <variant>
#include <vector>

namespace connector::request {

enum class Step {
    admit,    // prove recipient and person, hold against policy; for pkcs.* also make key and CSR
    submit,   // write `submitting`, then hand the CSR to the authority
    find,     // after a crash or a lost answer: ask the authority before repeating
    poll,     // the authority takes its time
    pack,     // a certificate is here: check it, prove the recipient again, pack
    deliver,  // fetch, open and repack the user's imported certificates
    withdraw,
    report,  // the reporter's: batches
    revoke,  // an orphan
    rest     // nothing: closed, held, or not for this connector yet
};
[[nodiscard]] Step next(const RequestRecord& record) noexcept;

// What came of a step. Both variants are total: after() has an answer for each in every stage it can happen in.
struct Keyed {
    Bytes sealed_key;
    Bytes csr;
    Bytes submission_nonce;
    Sha256 spki_sha256;
};
struct SubmissionBegins {};
// Only the charges of the same commit: what is about to be unwrapped stands on the meters.
struct Counted {};
struct IssuedHere {
    Bytes certificate;
    std::vector<Bytes> chain;
};
struct TakenByAuthority {
    std::string authority_request_id;
    std::chrono::seconds retry_after;
};
struct NeverArrived {};
// The package is made; for pkcs.* the certificate with it, and the key is dropped in the same commit.
struct Packed {
    Bytes sealed_package;
    Bytes certificate;  // empty for imported ones
};
struct Completed {};
struct Held {
    trust::Hold hold;
};
// `certificate`: an issued certificate that must not live on.
struct Failed {
    Error error;
    Bytes certificate;
    bool may_be_there = false;  // an earlier submission may have arrived, whatever became of this one
};
// Ended from outside the request: a withdraw, the operator, a hold that lasted too long.
struct Dropped {
    Failure failure;
};
// A person or time let a held request go on. `waived`: as it is; else it is held against its limit once more.
struct Released {
    bool waived = true;
};
struct Revived {};  // the operator: an abandoned request goes on where it stood
struct Reported {
    std::string outcome;
    bool still_wanted = false;                 // the service's `accepted` list names our certificate
    std::vector<Sha256> held_by_service = {};  // that list
};
// Nothing came of it yet, and that is nobody's fault: a busy authority, a service that cannot be told just now.
struct Postponed {
    std::chrono::seconds delay;
    bool never_sent = false;  // the submission whose intent is written was not made: there is nothing to look for
};
struct RevokedNow {};
struct LeaseLost {};
using Outcome =
    std::variant<Keyed, SubmissionBegins, Counted, IssuedHere, TakenByAuthority, NeverArrived, Packed, Completed, Held,
                 Failed, Dropped, Released, Revived, Reported, Postponed, RevokedNow, LeaseLost>;

// A step that goes on failing is given up after `budget` and at least `fewest_tries` (so that a clock that jumps ahead
// gives nothing up), or after `most_tries`.
struct RetryRules {
    Backoff backoff;
    std::chrono::seconds budget{std::chrono::hours{24}};
    std::uint32_t fewest_tries = 5;
    std::uint32_t most_tries = 500;
    std::chrono::seconds credential_probe{std::chrono::minutes{10}};  // a refused credential parks
};

// Nothing waits longer than this for its next try, whatever an authority asks; what seems to was written under another
// clock.
inline constexpr std::chrono::hours k_longest_wait{25};

// `jitter` in [0,1).
[[nodiscard]] RequestRecord after(RequestRecord record, const Outcome& outcome, const RetryRules& rules, UtcTime now,
                                  double jitter);

// What the end of the process means for a record that a worker had. Idempotent: a death is counted once.
// After two deaths it is worked alone; the third, which nobody else can have caused, sets it aside.
[[nodiscard]] RequestRecord recover(RequestRecord record, UtcTime now);
inline constexpr std::uint32_t k_deaths_until_alone = 2;
[[nodiscard]] inline bool works_alone(const RequestRecord& record) noexcept {
    return record.deaths >= k_deaths_until_alone;
}

// True where the failure ends the order now; false where after() keeps it and tries again.
[[nodiscard]] bool is_final(const RequestRecord& record, const Error& error, const RetryRules& rules,
                            UtcTime now) noexcept;

// What the service is told of a request that nobody has let go in [recipients] hold_days. Retryable, whatever the
// reason.
[[nodiscard]] Failure end_of_hold(HeldReason reason);

}  // namespace connector::request
