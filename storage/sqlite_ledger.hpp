// SqliteLedger: ports::Ledger's law as plain functions over one connection; AsyncLedger gives it the port's face.
// Each function is one transaction; a success is on disk. Errors as in ports/ledger.hpp.
// A row that fails its check is moved to the quarantine, reported, and never used; where a decision needs it, that
// decision is kind integrity: a missing block must not unblock, a missing pin must not look like a first use, a missing
// meter entry must not make room.
// One thread at a time. The caller holds the InstanceLock for as long as this lives.
#pragma once

#include "core/ports/ledger.hpp"
#include "core/ports/sealer.hpp"
#include "storage/checked_rows.hpp"
#include "storage/instance_lock.hpp"
#include "storage/meter_book.hpp"
#include "storage/sqlite.hpp"
#include "storage/stop_book.hpp"
#include "storage/suspicion.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::storage {

// The last line of the audit log that the database knows of.
struct AuditAnchor {
    std::uint64_t sequence = 0;
    Sha256 link;
    bool operator==(const AuditAnchor&) const = default;
};

struct EndedIn {
    UtcTime begin;
    std::uint64_t done = 0;  // delivered, completed
    std::uint64_t failed = 0;
};

class SqliteLedger {
public:
    // Opens or creates connector.db in the lock's directory. `sealer` outlives the ledger. `report` is called on
    // whatever thread uses the ledger, during open() too. kind misconfigured, code sealingKeyWrong: there are rows, and
    // not one fits the key; nothing was moved or written.
    [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const InstanceLock& lock,
                                                                    const ports::Sealer& sealer,
                                                                    QuarantineReport report);
    SqliteLedger(const SqliteLedger&) = delete;
    SqliteLedger& operator=(const SqliteLedger&) = delete;
    ~SqliteLedger();

    // Requests.
    [[nodiscard]] Result<std::vector<ports::Intake>> accept(const std::vector<ports::LeasedRequest>& batch,
                                                            UtcTime now);
    // kind conflict, code requestKnown, where the id is open as an order that could be read.
    [[nodiscard]] Result<void> accept_unreadable(const RequestId& id, const LeaseId& lease,
                                                 const request::Failure& failure, UtcTime now);
    // Group commit: one transaction, a savepoint for each, one fsync for all. Answers in the order of `commits`.
    // The record's lease is not written: accept() and renew_lease() own it.
    [[nodiscard]] std::vector<Result<std::uint64_t>> save_many(const std::vector<ports::Commit>& commits,
                                                               const std::vector<UtcTime>& now);
    [[nodiscard]] Result<std::uint64_t> save(const ports::Commit& commit, UtcTime now);
    [[nodiscard]] Result<ports::Taken> take(const ports::TakeOrder& order, UtcTime now);
    [[nodiscard]] Result<void> put_back(const RequestId& id);
    [[nodiscard]] Result<void> expect_end();
    [[nodiscard]] Result<std::vector<request::RequestRecord>> recover(UtcTime now);
    [[nodiscard]] Result<std::uint64_t> pull_back(UtcTime now, std::chrono::seconds longest);
    [[nodiscard]] Result<std::uint64_t> move_waits(UtcTime now, std::chrono::seconds jump);
    [[nodiscard]] Result<std::vector<request::RequestRecord>> outbox(UtcTime now, std::size_t limit);
    [[nodiscard]] Result<std::optional<request::RequestRecord>> get(const RequestId& id);
    [[nodiscard]] Result<std::vector<request::RequestRecord>> page(const ports::PageFilter& filter);
    [[nodiscard]] Result<std::vector<request::RequestRecord>> open_of(const UserId& user, const DeviceId& device,
                                                                      UtcTime until);
    [[nodiscard]] Result<std::vector<std::pair<RequestId, request::Lease>>> open_leases();
    // kind conflict, code requestNotOpen.
    [[nodiscard]] Result<void> renew_lease(const RequestId& id, const request::Lease& lease);
    [[nodiscard]] Result<ports::Counts> counts();
    // How requests ended since then, in stretches that begin at multiples of `stretch`; empty ones are left out. What
    // the service took back is neither done nor failed.
    [[nodiscard]] Result<std::vector<EndedIn>> ended_since(UtcTime since, std::chrono::seconds stretch);
    // Closed with a failure since then, the newest end first; heads alone, as of every closed record.
    [[nodiscard]] Result<std::vector<request::RequestRecord>> failed_since(UtcTime since, std::size_t limit);
    [[nodiscard]] Result<void> purge(UtcTime now, UtcTime closed_before);

    // The register.
    [[nodiscard]] Result<trust::RegisterView> look_up(const DeviceId& device, const UserId& user,
                                                      const std::string& user_principal_name, const Sha256& spki,
                                                      UtcTime now);
    [[nodiscard]] Result<std::vector<trust::Pin>> pins();
    [[nodiscard]] Result<std::vector<std::optional<trust::Pin>>> bind(const std::vector<trust::Pin>& pins,
                                                                      bool replace);
    [[nodiscard]] Result<std::optional<trust::Pin>> forget(const DeviceId& device);
    [[nodiscard]] Result<std::vector<trust::Block>> blocks();
    [[nodiscard]] Result<void> block(const trust::Block& block);
    [[nodiscard]] Result<void> approve(const trust::Approval& approval);
    [[nodiscard]] Result<void> vote(const trust::Vote& vote);
    [[nodiscard]] Result<std::vector<trust::Vote>> votes(const RequestId& request, UtcTime now);
    [[nodiscard]] Result<void> open_window(const trust::EnrolmentWindow& window);
    [[nodiscard]] Result<std::optional<trust::EnrolmentWindow>> window();

    // Newest first.
    [[nodiscard]] Result<std::vector<ports::IssuedCertificate>> issued(std::size_t limit);
    [[nodiscard]] Result<std::optional<ports::IssuedCertificate>> find_issued(const std::string& issuer,
                                                                              const std::string& serial_number);
    // kind conflict, code certificateUnknown. The first revocation's time and reason stay.
    [[nodiscard]] Result<void> mark_revoked(const Sha256& certificate, const std::string& reason, UtcTime now);

    [[nodiscard]] Result<std::vector<ports::DeliveredImport>> deliveries_of(const std::string& user);
    [[nodiscard]] Result<std::vector<ports::ExpiringImport>> expiring_imports(UtcTime now, UtcTime until);

    [[nodiscard]] Result<std::optional<ports::CurrentImport>> current_import(const std::string& person);

    // What may not go back (sqlite_ledger_evidence.cpp).
    [[nodiscard]] Result<std::vector<trust::SignedList>> signed_lists(const std::vector<std::string>& owners,
                                                                      request::Purpose purpose);
    [[nodiscard]] Result<void> keep_lists(const std::vector<trust::SignedList>& lists, UtcTime now);
    [[nodiscard]] Result<UtcTime> newest_time();
    [[nodiscard]] Result<void> note_time(UtcTime now);
    [[nodiscard]] Result<void> stop_for_clock(const std::string& reason, UtcTime now);
    [[nodiscard]] Result<void> accept_time(UtcTime now);

    // What is stopped (sqlite_ledger_stops.cpp).
    [[nodiscard]] Result<std::vector<request::Stop>> stops();
    [[nodiscard]] Result<void> freeze(const std::vector<request::Stop>& stops);
    [[nodiscard]] Result<std::vector<request::Stop>> thaw(const std::vector<request::Kind>& kinds, UtcTime now);
    [[nodiscard]] Result<void> raise(const request::Raise& raise);
    [[nodiscard]] Result<std::vector<request::Raise>> raises();

    [[nodiscard]] Result<std::vector<request::MeterUse>> meters(UtcTime now);
    [[nodiscard]] Result<void> count(const request::Charge& charge, UtcTime now);
    [[nodiscard]] Result<std::uint64_t> next_sequence(UtcTime now);

    // Written with the next commit group; flush() writes it alone.
    void set_audit_anchor(const AuditAnchor& anchor) noexcept { pending_anchor_ = anchor; }
    [[nodiscard]] Result<void> flush();
    // nullopt: none was ever set. kind integrity, code stateTampered: it cannot be told.
    [[nodiscard]] Result<std::optional<AuditAnchor>> audit_anchor() const;
    // Grows with every transaction that wrote something.
    [[nodiscard]] std::uint64_t generation() const noexcept { return state_.generation; }
    // The same, as far as it is on the disk. Any thread, also after the ledger's end.
    [[nodiscard]] std::shared_ptr<const std::atomic<std::uint64_t>> written_generation() const noexcept {
        return written_;
    }

    // A person has looked: what is there now is taken as it is. The quarantine is emptied; meters keep their sound
    // entries; pins and blocks that are gone stay gone.
    [[nodiscard]] Result<void> accept_as_found();
    // Nothing is missing, changed, or older than it was, as far as has been seen.
    [[nodiscard]] bool as_written() const noexcept;
    // The process before this one did not close the file: it is worth a check beside the work (inspect.hpp).
    [[nodiscard]] bool ended_unclean() const noexcept { return ended_unclean_; }
    // Whether the file must be found sound before it is worked on (suspicion.hpp); that it must; that it was. The last
    // one fails with the damage that was met since, if any.
    [[nodiscard]] bool is_suspect() const { return storage::is_suspect(directory_); }
    [[nodiscard]] Result<void> suspect() { return storage::suspect(directory_); }
    [[nodiscard]] Result<void> found_sound();
    // The schema that open() found, where it brought it to a newer one.
    [[nodiscard]] std::optional<std::size_t> migrated_from() const noexcept { return migrated_from_; }
    // "" where the file is sound (schema.hpp).
    [[nodiscard]] Result<std::string> quick_check();

private:
    struct Prior;
    SqliteLedger(std::filesystem::path directory, Database database, const ports::Sealer& sealer,
                 QuarantineReport report);
    [[nodiscard]] Result<void> take_stock();
    [[nodiscard]] Result<void> read_state();
    // Every row of it is there, and none that is older. False also where the state cannot tell.
    [[nodiscard]] bool is_whole(const Table& table) const noexcept { return state_sound_ && rows_.whole(table); }
    [[nodiscard]] Result<bool> is_new_file();
    [[nodiscard]] Result<bool> anything_fits();
    [[nodiscard]] Result<void> write_state();
    void settle();
    void note_damage(const Error& error);
    template <class Body>
    [[nodiscard]] auto write(Body body) -> decltype(body());
    template <class Body>
    [[nodiscard]] auto in_savepoint(Body body) -> decltype(body());
    template <class Body>
    [[nodiscard]] auto read(Body body) -> decltype(body());

    [[nodiscard]] Result<ports::Intake> accept_one(const ports::LeasedRequest& leased, UtcTime now);
    [[nodiscard]] Result<std::optional<Prior>> prior_of(const RequestId& id);
    // Where a new row for `id` would stand: its version, and the order that is open there; what is past its order is
    // set apart.
    struct Place {
        std::uint64_t version = 1;
        std::optional<request::RequestRecord> open;
    };
    [[nodiscard]] Result<Place> place_for(const RequestId& id);
    [[nodiscard]] Result<void> set_apart(request::RequestRecord orphan);
    [[nodiscard]] Result<std::uint64_t> version_beyond(const RequestId& id);
    [[nodiscard]] Result<std::uint64_t> save_one(const ports::Commit& commit, UtcTime now);
    [[nodiscard]] Result<void> may_act(const ports::Commit& commit) const;
    [[nodiscard]] std::vector<request::Charge> as_raised(std::vector<request::Charge> charges, UtcTime now) const;
    [[nodiscard]] Result<void> note_asked(const ports::Commit& commit, UtcTime now);
    [[nodiscard]] Result<void> trip_beyond(const request::Charge& charge, UtcTime now);
    [[nodiscard]] std::string not_stopped(Values& parameters) const;
    [[nodiscard]] Result<void> save_claims(const ports::Commit& commit, UtcTime now);
    [[nodiscard]] Result<std::optional<request::RequestRecord>> find(const RequestId& id);
    [[nodiscard]] Result<request::Lease> lease_of(const RequestId& id);
    [[nodiscard]] Result<std::vector<request::RequestRecord>> records(std::string_view rest, const Values& parameters);
    [[nodiscard]] Result<std::uint64_t> age_holds(UtcTime now);
    [[nodiscard]] Result<void> put_again(request::RequestRecord& record);
    [[nodiscard]] Result<bool> any(std::string_view rest, const Values& parameters);
    [[nodiscard]] Result<void> put_lease(const RequestId& id, const request::Lease& lease);
    [[nodiscard]] Result<std::optional<trust::Pin>> pin_of(const DeviceId& device);
    [[nodiscard]] Result<void> put_pin(const trust::Pin& pin, const std::optional<trust::Pin>& seen);
    [[nodiscard]] Result<std::int64_t> other_devices(const DeviceId& device, const UserId& user,
                                                     const std::string& user_principal_name);
    [[nodiscard]] Result<void> room_for(const trust::Pin& pin, std::uint32_t most);
    [[nodiscard]] Result<void> use_window(UtcTime now);
    [[nodiscard]] Result<void> note_key(const Sha256& spki, const RequestId& request, UtcTime now);
    [[nodiscard]] Result<void> put_issued(const ports::IssuedCertificate& certificate);
    [[nodiscard]] Result<void> is_only_one(const ports::IssuedCertificate& certificate);
    [[nodiscard]] Result<std::optional<ports::IssuedCertificate>> issued_as(const std::string& issuer,
                                                                            const std::string& serial_number);
    [[nodiscard]] Result<void> put_delivery(const ports::DeliveredImport& delivery);
    [[nodiscard]] Result<std::optional<trust::Block>> block_of(const DeviceId& device, const UserId& user,
                                                               const std::string& user_principal_name,
                                                               const Sha256& spki);
    [[nodiscard]] Result<HighWater> high_water();
    [[nodiscard]] Result<void> lists_complete() const;
    [[nodiscard]] Result<void> rebuild_high_water();
    [[nodiscard]] Result<std::optional<trust::Pin>> key_elsewhere(const DeviceId& device, const Sha256& spki);
    [[nodiscard]] Result<bool> key_is_ours(const Sha256& spki);
    [[nodiscard]] Result<std::int64_t> count_where(std::string_view sql, const Values& parameters);
    [[nodiscard]] Result<bool> purge_closed(UtcTime closed_before);

    std::filesystem::path directory_;
    Database database_;
    CheckedRows rows_;
    MeterBook book_;
    StopBook stops_;
    LedgerState state_;
    std::shared_ptr<std::atomic<std::uint64_t>> written_ = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::optional<AuditAnchor> pending_anchor_;
    std::optional<Error> damage_;  // a page is not what SQLite wrote: nothing is written into that file any more
    bool ended_unclean_ = false;
    bool end_expected_ = false;  // nothing is in work from now on
    std::optional<std::size_t> migrated_from_;
    bool state_sound_ = false;
};

}  // namespace connector::storage
