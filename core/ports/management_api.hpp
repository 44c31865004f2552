// Port: the management service, as far as the running connector calls it. Claims come in, results go out.
// One call each, no retry inside, one deadline each. Follows the management API, version 1.
// kind unauthorized: 401, 403 or 404 on the own path. throttled: 429, 503 with retry_after (at most an hour).
// unavailable, timed_out: not reached, no answer. invalid: an answer that is not of the API. unknown never: calls are
// idempotent.
#pragma once

#include "core/ports/async.hpp"
#include "core/ports/ledger.hpp"
#include "core/trust/importer.hpp"

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace connector::ports {

// A lease element that could not be read: told to the service as failed where its id and lease are usable.
struct UnreadableRequest {
    RequestId id;
    LeaseId lease;
    request::Failure failure;
};
struct LeaseAnswer {
    std::vector<std::variant<LeasedRequest, UnreadableRequest>> requests;
    std::size_t skipped = 0;      // elements without a usable id
    std::optional<UtcTime> date;  // the answer's Date
    Tick sent;                    // when the call was sent: leases count from here
};

struct RenewedLease {
    LeaseId id;
    UtcTime expires_at;
};
struct RenewAnswer {
    std::vector<RenewedLease> renewed;
    std::vector<LeaseId> lost;
    std::optional<UtcTime> date;
};

// What is said of one request. Exactly one of the three is set.
struct ResultMessage {
    RequestId request;
    LeaseId lease;
    std::optional<request::Package> delivered;
    bool completed = false;
    std::optional<request::Failure> failed;
};
struct ResultOutcome {
    RequestId request;
    std::string outcome;  // accepted | duplicate | superseded | cancelled | rejected
    std::string detail;
    std::vector<Sha256> accepted;
};

enum class State { ready, degraded, draining, not_ready };
[[nodiscard]] std::string_view to_string(State state) noexcept;

struct AuthorityState {
    std::string name;
    std::string state;  // up | down | unknown
};
struct Heartbeat {
    std::string version;
    UtcTime started_at;
    State state = State::not_ready;
    std::uint64_t pending = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t held = 0;
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;
    std::uint64_t oldest_pending_seconds = 0;
    std::vector<std::string> frozen;
    std::vector<AuthorityState> authorities;
    std::optional<UtcTime> certificate_expires_at;
};

class ManagementApi {
public:
    virtual ~ManagementApi() = default;
    // `key`: the Idempotency-Key; the same key after a lost answer gives the same requests.
    // code answerTooLarge: the caller halves `max_requests`.
    [[nodiscard]] virtual Async<LeaseAnswer> lease(std::size_t max_requests, std::chrono::seconds wait,
                                                   std::vector<request::Kind> kinds, std::string key) = 0;
    [[nodiscard]] virtual Async<RenewAnswer> renew_leases(std::vector<LeaseId> leases) = 0;
    // At most 500. code resultsRefused for 400, 413, 422: the caller halves the batch.
    [[nodiscard]] virtual Async<std::vector<ResultOutcome>> report(std::vector<ResultMessage> results) = 0;
    [[nodiscard]] virtual Async<void> heartbeat(Heartbeat beat) = 0;
};

// The user's imported certificates, all pages.
struct ImportedHistory {
    std::vector<trust::ImportedRecord> records;
    std::vector<request::Omitted> unreadable;  // records of the page that could not be read
    std::string etag;
    bool not_modified = false;  // the given etag still holds; records is empty
};

class ImportSource {
public:
    virtual ~ImportSource() = default;
    [[nodiscard]] virtual Async<ImportedHistory> fetch(UserId user, request::Purpose purpose, LeaseId lease,
                                                       std::string etag) = 0;
};

}  // namespace connector::ports
