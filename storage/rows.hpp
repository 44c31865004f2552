// Domain values as columns and back: one table's description and its two functions each.
// Reading expects a row whose check was sound; what does not decode all the same is kind integrity, code rowUnreadable.
// Pure; any thread.
#pragma once

#include "core/ports/ledger.hpp"
#include "core/trust/signed_list.hpp"
#include "storage/checked_rows.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace connector::storage {

namespace tables {
extern const Table k_request;
extern const Table k_lease;
extern const Table k_pin;
extern const Table k_block;
extern const Table k_approval;
extern const Table k_window;
extern const Table k_issued;
extern const Table k_generated_key;
extern const Table k_delivery;
extern const Table k_delivered_certificate;
extern const Table k_meter;
extern const Table k_meter_entry;
extern const Table k_state;
extern const Table k_stop;
extern const Table k_raise;
extern const Table k_thaw;
extern const Table k_vote;
extern const Table k_signed_list;
extern const Table k_high_water;

// Those that have a digest, in the digests' order.
[[nodiscard]] std::span<const Table* const, k_digests> deciding() noexcept;
}  // namespace tables

// What ties the tables together (ledger_state). `audit_seq` 0: no anchor yet.
struct LedgerState {
    std::uint64_t generation = 0;  // of commit groups
    std::uint64_t sequence = 0;    // the last number given by next_sequence
    std::uint64_t audit_seq = 0;
    Sha256 audit_link;
    std::uint64_t meters = 0;       // rows of meter
    std::uint64_t meter_total = 0;  // the sum of their last numbers
    std::uint64_t delivered = 0;
    std::uint64_t failed = 0;
    Digests digests;
};

// What may not go back (high_water).
struct HighWater {
    UtcTime newest_time;  // that the clock has shown
};

struct MeterHead {
    std::string name;
    std::string scope;
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    std::chrono::seconds window{3600};
    std::uint32_t limit = 0;  // as last charged; for status
    bool distinct = false;
};
struct MeterEntry {
    std::uint64_t n = 0;
    std::string subject;
    UtcTime at;
};

// The lease has a row of its own and is left out: from_request() gives an empty one.
// A closed record loses all but what is shown of it: at most 300 octets a row, the failure's text being cut to fit.
[[nodiscard]] Values to_row(const request::RequestRecord& record);
[[nodiscard]] Result<request::RequestRecord> request_from(const Values& row);
// A record of accept_unreadable(): nothing is known but its id.
[[nodiscard]] bool is_unreadable(const request::RequestRecord& record) noexcept;

[[nodiscard]] Values to_row(const RequestId& id, const request::Lease& lease);
[[nodiscard]] Result<std::pair<RequestId, request::Lease>> lease_from(const Values& row);
[[nodiscard]] Values to_row(const trust::Pin& pin);
[[nodiscard]] Result<trust::Pin> pin_from(const Values& row);
[[nodiscard]] Values to_row(const trust::Block& block);
[[nodiscard]] Result<trust::Block> block_from(const Values& row);
[[nodiscard]] Values to_row(const trust::Approval& approval);
[[nodiscard]] Result<trust::Approval> approval_from(const Values& row);
[[nodiscard]] Values to_row(const trust::EnrolmentWindow& window);
[[nodiscard]] Result<trust::EnrolmentWindow> window_from(const Values& row);
// The serial number is kept in one form, whatever it came in: serial_form().
[[nodiscard]] Values to_row(const ports::IssuedCertificate& certificate);
[[nodiscard]] Result<ports::IssuedCertificate> issued_from(const Values& row);
// A key made here, for one request.
[[nodiscard]] Values to_row(const Sha256& spki, const RequestId& request, UtcTime made_at);
// Without its certificates, which have rows of their own.
[[nodiscard]] Values to_row(const ports::DeliveredImport& delivery);
[[nodiscard]] Result<ports::DeliveredImport> delivery_from(const Values& row);
[[nodiscard]] Values to_row(const ports::DeliveredImport& delivery,
                            const ports::DeliveredImport::Certificate& certificate);
struct DeliveredRow {
    UserId user;
    DeviceId device;
    request::Purpose purpose = request::Purpose::unassigned;
    ports::DeliveredImport::Certificate certificate;
};
[[nodiscard]] Result<DeliveredRow> delivered_certificate_from(const Values& row);
[[nodiscard]] Values to_row(const MeterHead& head);
[[nodiscard]] Result<MeterHead> meter_from(const Values& row);
[[nodiscard]] Values to_row(const MeterHead& head, const MeterEntry& entry);
[[nodiscard]] Result<MeterEntry> meter_entry_from(const Values& row);
[[nodiscard]] Values to_row(const request::Stop& stop);
[[nodiscard]] Result<request::Stop> stop_from(const Values& row);
[[nodiscard]] Values to_row(const request::Raise& raise);
[[nodiscard]] Result<request::Raise> raise_from(const Values& row);
[[nodiscard]] Values to_row(const trust::Vote& vote);
[[nodiscard]] Result<trust::Vote> vote_from(const Values& row);
[[nodiscard]] Values to_row(const trust::SignedList& list, UtcTime seen_at);
[[nodiscard]] Result<trust::SignedList> signed_list_from(const Values& row);
[[nodiscard]] Values to_row(const HighWater& mark);
[[nodiscard]] Result<HighWater> high_water_from(const Values& row);
[[nodiscard]] Values to_row(const LedgerState& state);
[[nodiscard]] Result<LedgerState> state_from(const Values& row);

// Lower-case hex without leading zeros.
[[nodiscard]] std::string serial_form(std::string_view hex);

[[nodiscard]] inline std::int64_t seconds_of(UtcTime time) noexcept {
    return time.time_since_epoch().count();
}

}  // namespace connector::storage
