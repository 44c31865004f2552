// Port: the only durable memory. No SQL and no JSON show through it.
// Every call is a coroutine that comes back on the caller's executor; a returned success is on disk (fsync).
// kind conflict: the record was changed meanwhile. kind integrity: a row is not what was stored; it is quarantined.
// kind throttled, code limitReached: a charge is over its limit; nothing was written but that it was asked for, which
// may have stopped the kind. kind throttled, code kindStopped: what a charge is for is stopped; nothing was written.
#pragma once

#include "core/ports/async.hpp"
#include "core/request/limits.hpp"
#include "core/request/record.hpp"
#include "core/request/stops.hpp"
#include "core/trust/register.hpp"
#include "core/trust/signed_list.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::ports {

struct LeasedRequest {
    request::CertificateRequest request;
    Sha256 order_hash;
    request::Lease lease;
};

enum class Intake {
    created,       // a new order
    known,         // open already: lease and attempt taken over
    order_changed  // open already under another order hash: nothing changed
};

// A certificate that this connector's authority issued for it; kept until expiry + 400 days.
struct IssuedCertificate {
    std::string authority;
    std::string issuer;         // RFC 4514
    std::string serial_number;  // hex
    Sha256 sha256;
    Sha256 spki_sha256;
    UserId user;
    DeviceId device;
    RequestId request;
    UtcTime issued_at;
    UtcTime not_after;
    std::optional<UtcTime> revoked_at;
    std::string revocation_reason;
};

// What a pfx.deliver gave a device, once the service has taken it. Certificates are values of the ledger, not of the
// service's store: they tell what was seen there at that time.
struct DeliveredImport {
    struct Certificate {
        Sha256 sha256;
        Thumbprint thumbprint;
        UtcTime not_before;
        UtcTime not_after;
        UtcTime first_at;  // first and last time that this device had it from here; the ledger's to fill in
        UtcTime delivered_at;
    };
    UserId user;
    std::string user_principal_name;
    DeviceId device;
    request::Purpose purpose = request::Purpose::unassigned;
    RequestId request;
    UtcTime delivered_at;
    std::vector<Certificate> certificates;  // as delivered; read: all that the device has ever had, newest last
    std::vector<request::Omitted> omitted;  // of this last delivery
    std::size_t in_last = 0;                // read: certificates in the last delivery
};
// A user's newest imported encryption certificate, which ends soon.
struct ExpiringImport {
    UserId user;
    Sha256 sha256;
    Thumbprint thumbprint;
    UtcTime not_after;
};

// A user's newest imported encryption certificate, as far as delivered from here: what correspondents encrypt to.
struct CurrentImport {
    UtcTime not_before;
    UtcTime not_after;
    Sha256 sha256;
    // Later in the management API's order: by start, end, then hash.
    auto operator<=>(const CurrentImport&) const = default;
};

// Whom a package was wrapped for.
struct Addressee {
    DeviceId device;
    UserId user;
    std::string user_principal_name;
    Sha256 spki_sha256;
};

// All of it or nothing. The record's `version` must be that of the ledger; it is stored as version + 1.
struct Commit {
    request::RequestRecord record;
    std::vector<request::Charge> charges;
    std::optional<trust::Pin> pin;
    std::optional<trust::Pin>
        pin_seen;              // as it was when proved. kind conflict, code pinChanged, where it has changed since
    bool uses_window = false;  // kind refused, code windowClosed, where no place is left
    // The pin is a further device of its user, who may have so many with it; 0: not asked. kind conflict, code
    // pinChanged, where others have taken the places since it was proved.
    std::uint32_t most_devices = 0;
    // kind conflict, code pinChanged, where another device has got the pin's key since it was proved.
    bool key_alone = false;
    // A package goes with it. kind refused, code recipientUntrusted, where its device, user or key is blocked by now.
    std::optional<Addressee> wrapped_for;
    std::optional<IssuedCertificate> issued;
    std::optional<Sha256> generated_key;  // SPKI of a key made here
    std::optional<DeliveredImport> delivered_import;
};

// What take() looks for.
struct TakeOrder {
    std::size_t limit = 0;
    std::vector<RequestId> busy;              // in the caller's hands already
    std::map<std::string, std::size_t> room;  // authorities that may get no more than so many; others as many as come
    bool alone = false;                       // the one that has to be worked alone, and no other
};
struct Taken {
    std::vector<request::RequestRecord> records;  // each `in_work` from now on
    bool passed_over = false;                     // some were due and found no room at their authority
    bool alone_waits = false;                     // one is due that has to be worked alone
};

struct PageFilter {
    std::optional<request::Stage> stage;
    std::optional<std::string> user;  // id or UPN
    std::optional<std::string> device;
    std::optional<UtcTime> since;
    std::string after;  // the last id of the page before
    std::size_t limit = 100;
};

struct Counts {
    std::map<request::Stage, std::uint64_t> by_stage;  // closed excluded
    std::map<request::HeldReason, std::uint64_t> held;
    std::uint64_t delivered = 0;            // ever
    std::uint64_t failed = 0;               // ever
    std::optional<UtcTime> oldest_pending;  // accepted_at of the oldest open, not held record
    std::uint64_t quarantined = 0;
    std::map<std::string, std::uint64_t> pins_by_state;  // pinned, blocked
};

class Ledger {
public:
    virtual ~Ledger() = default;

    // In the order given. A closed id is a new order; so is one whose orphan alone is left, which gets an id of its
    // own.
    [[nodiscard]] virtual Async<std::vector<Intake>> accept(std::vector<LeasedRequest> batch, UtcTime now) = 0;
    // A leased element that could not be read: its failure is kept until reported (id and lease are known, nothing
    // else).
    [[nodiscard]] virtual Async<void> accept_unreadable(RequestId id, LeaseId lease, request::Failure failure,
                                                        UtcTime now) = 0;
    // The new version.
    [[nodiscard]] virtual Async<std::uint64_t> save(Commit commit, UtcTime now) = 0;
    // Open records whose time has come, oldest first; those to be reported are outbox()'s. That they are in work is
    // durable before they are given: a save that brings one to rest ends it, as does put_back().
    // Nothing of a stopped kind.
    [[nodiscard]] virtual Async<Taken> take(TakeOrder order, UtcTime now) = 0;
    // A worker has let go of it without bringing it to rest (stopping, a save that failed). No conflict: it was
    // changed.
    [[nodiscard]] virtual Async<void> put_back(RequestId id) = 0;
    // The process ends because it was asked to: its end is no death for what is in work, and nothing is taken any more.
    [[nodiscard]] virtual Async<void> expect_end() = 0;
    // At start: what the end of the process means for what was in work (request::recover). Gives the records that
    // changed.
    [[nodiscard]] virtual Async<std::vector<request::RequestRecord>> recover(UtcTime now) = 0;
    // Whatever the clock has done unseen, as before the start: nothing waits longer than `longest` from now; what would
    // is spread over a quarter of an hour. Gives how many were pulled.
    [[nodiscard]] virtual Async<std::uint64_t> pull_back(UtcTime now, std::chrono::seconds longest) = 0;
    // After the wall clock has jumped by `jump` to `now`: what waited before it waits as long as it would have, and
    // what has failed or been held for a while has so for just that while. Gives how many were moved.
    [[nodiscard]] virtual Async<std::uint64_t> move_waits(UtcTime now, std::chrono::seconds jump) = 0;
    // packaged, refused and unreported abandoned records whose time has come: what is to be reported. No package of a
    // stopped kind.
    [[nodiscard]] virtual Async<std::vector<request::RequestRecord>> outbox(UtcTime now, std::size_t limit) = 0;
    [[nodiscard]] virtual Async<std::optional<request::RequestRecord>> get(RequestId id) = 0;
    [[nodiscard]] virtual Async<std::vector<request::RequestRecord>> page(PageFilter filter) = 0;
    // Open records of a user and device created at or before `until` (for withdraw).
    [[nodiscard]] virtual Async<std::vector<request::RequestRecord>> open_of(UserId user, DeviceId device,
                                                                             UtcTime until) = 0;
    // Ids and leases of all open records, for lease renewal.
    [[nodiscard]] virtual Async<std::vector<std::pair<RequestId, request::Lease>>> open_leases() = 0;
    [[nodiscard]] virtual Async<void> renew_lease(RequestId id, request::Lease lease) = 0;
    [[nodiscard]] virtual Async<Counts> counts() = 0;
    // Closed rows older than `closed_before`, meters, approvals and register rows that have had their time.
    [[nodiscard]] virtual Async<void> purge(UtcTime now, UtcTime closed_before) = 0;

    [[nodiscard]] virtual Async<trust::RegisterView> look_up(DeviceId device, UserId user,
                                                             std::string user_principal_name, Sha256 spki,
                                                             UtcTime now) = 0;
    [[nodiscard]] virtual Async<std::vector<trust::Pin>> pins() = 0;
    // By hand: all of them or none; in the order given, each as it was before. Without `replace` kind conflict, code
    // recipientKnown, where a device is pinned for another user or key.
    [[nodiscard]] virtual Async<std::vector<std::optional<trust::Pin>>> bind(std::vector<trust::Pin> pins,
                                                                             bool replace) = 0;
    // What was known of the device.
    [[nodiscard]] virtual Async<std::optional<trust::Pin>> forget(DeviceId device) = 0;
    [[nodiscard]] virtual Async<std::vector<trust::Block>> blocks() = 0;
    [[nodiscard]] virtual Async<void> block(trust::Block block) = 0;
    [[nodiscard]] virtual Async<void> approve(trust::Approval approval) = 0;
    // Replaces the same account's earlier word on the same.
    [[nodiscard]] virtual Async<void> vote(trust::Vote vote) = 0;
    // On this request, not yet ended; whatever it was when they were given.
    [[nodiscard]] virtual Async<std::vector<trust::Vote>> votes(RequestId request, UtcTime now) = 0;
    [[nodiscard]] virtual Async<void> open_window(trust::EnrolmentWindow window) = 0;
    [[nodiscard]] virtual Async<std::optional<trust::EnrolmentWindow>> window() = 0;

    [[nodiscard]] virtual Async<std::vector<IssuedCertificate>> issued(std::size_t limit) = 0;
    [[nodiscard]] virtual Async<std::optional<IssuedCertificate>> find_issued(std::string issuer,
                                                                              std::string serial_number) = 0;
    [[nodiscard]] virtual Async<void> mark_revoked(Sha256 certificate, std::string reason, UtcTime now) = 0;

    // One for each device and purpose that has had something; user: id or UPN, without regard to case.
    [[nodiscard]] virtual Async<std::vector<DeliveredImport>> deliveries_of(std::string user) = 0;
    // Users' newest delivered encryption certificates that end after `now` and at or before `until`; soonest first.
    [[nodiscard]] virtual Async<std::vector<ExpiringImport>> expiring_imports(UtcTime now, UtcTime until) = 0;
    // The newest encryption certificate of a person (trust::one_spelling_of_person), as far as delivered from here.
    [[nodiscard]] virtual Async<std::optional<CurrentImport>> current_import(std::string person) = 0;

    // Importers' newest lists of these owners (lower case). kind integrity where any list is missing.
    [[nodiscard]] virtual Async<std::vector<trust::SignedList>> signed_lists(std::vector<std::string> owners,
                                                                             request::Purpose purpose) = 0;
    // Where there is a newer one it stays.
    [[nodiscard]] virtual Async<void> keep_lists(std::vector<trust::SignedList> lists, UtcTime now) = 0;
    // The newest time noted; 1970 where none was.
    [[nodiscard]] virtual Async<UtcTime> newest_time() = 0;
    [[nodiscard]] virtual Async<void> note_time(UtcTime now) = 0;
    // certificates and deliveries, until a time that is newer than the newest is noted, or accept_time().
    [[nodiscard]] virtual Async<void> stop_for_clock(std::string reason, UtcTime now) = 0;
    // A person's word: `now` is right, whatever was noted.
    [[nodiscard]] virtual Async<void> accept_time(UtcTime now) = 0;

    [[nodiscard]] virtual Async<std::vector<request::MeterUse>> meters(UtcTime now) = 0;
    // Where rows of it are missing: everything, for that reason.
    [[nodiscard]] virtual Async<std::vector<request::Stop>> stops() = 0;
    // In force for every call after it. What is stopped already keeps its row.
    [[nodiscard]] virtual Async<void> freeze(std::vector<request::Stop> stops) = 0;
    // Gives what it ended. Limits that had tripped count anew from `now` on towards the next trip.
    [[nodiscard]] virtual Async<std::vector<request::Stop>> thaw(std::vector<request::Kind> kinds, UtcTime now) = 0;
    // Replaces an earlier raise of the same limit.
    [[nodiscard]] virtual Async<void> raise(request::Raise raise) = 0;
    [[nodiscard]] virtual Async<std::vector<request::Raise>> raises() = 0;
    // Counts without a record (refusals, failed unwraps); never refused, and may stop kinds.
    [[nodiscard]] virtual Async<void> count(request::Charge charge, UtcTime now) = 0;

    // A number above every one given before, also across restarts and a restored copy (at least the milliseconds since
    // 1970).
    [[nodiscard]] virtual Async<std::uint64_t> next_sequence(UtcTime now) = 0;
};

}  // namespace connector::ports
