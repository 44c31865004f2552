// RequestRecord: everything durable about one request. The ledger keeps it; the machine moves it.
// A private key or an undelivered package stands in it sealed or not at all.
// Values only, any thread.
#pragma once

#include "core/request/request.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::request {

// Durable stages only. What happens between two of them is done again after a crash.
enum class Stage {
    accepted,      // written down, nothing proved yet
    keyed,         // key sealed, CSR and nonce saved, not yet counted for submission
    submitting,    // the intent to submit is durable: from here on, find before repeating
    at_authority,  // the authority has it and takes its time
    issued,        // certificate here, not yet packed (a fault came in between)
    packaged,      // the intent to report `delivered` or `completed`
    refused,       // the intent to report `failed`
    held,          // waits for a person
    abandoned,     // dead letter: given up, the intent to report it so; may be revived until that report is accepted
    revoking,      // reported or dropped, but its certificate still has to be revoked
    closed         // over; a short row stays
};
[[nodiscard]] std::string_view to_string(Stage stage) noexcept;
[[nodiscard]] std::optional<Stage> parse_stage(std::string_view text) noexcept;

enum class HeldReason { new_recipient, key_change, user_change, too_many_devices, limit, approval };
[[nodiscard]] std::string_view to_string(HeldReason reason) noexcept;
[[nodiscard]] std::optional<HeldReason> parse_held_reason(std::string_view text) noexcept;

// What a `failed` result says. `code` is one of the management API's result codes.
struct Failure {
    std::string code;
    std::string message;  // printable, at most 512 octets
    bool retryable = false;
    std::optional<std::string> authority_status;
};

struct DeliveredCertificate {
    Bytes der;
    std::optional<UtcTime> renew_after;
};
struct Omitted {
    std::string thumbprint;
    std::string code;
    std::string message;
};
// A finished package: what the `delivered` result says. `envelope` is ciphertext for the device.
struct Package {
    std::vector<DeliveredCertificate> certificates;  // ascending notBefore, notAfter, sha256: newest last
    std::vector<Bytes> chain;                        // DER, the leaf's issuer first, root last
    std::vector<Omitted> omitted;
    DeliveryFormat format = DeliveryFormat::cms;
    Bytes envelope;  // DER
};

// One octet string for each value, in one order, so that equal meaning is equal octets and nothing can be
// shifted from one field into the next (length-prefixed). Serves three masters: the order's hash, the sealing's
// associated data, and the ledger's row.
[[nodiscard]] Bytes encode(const CertificateRequest& request);
[[nodiscard]] Result<CertificateRequest> decode_request(ByteView octets);  // kind: integrity
[[nodiscard]] Bytes encode(const Package& package);
[[nodiscard]] Result<Package> decode_package(ByteView octets);  // kind: integrity
// The part of the order that must not change while it is open (management API, "One order, one record"):
// kind, user, device, recipientCertificate, profile, purpose, thumbprints, delivery, previous.
[[nodiscard]] Bytes order_octets(const CertificateRequest& request);

struct RequestRecord {
    CertificateRequest request;
    Sha256 order_hash;  // SHA-256 of order_octets()
    Lease lease;

    Stage stage = Stage::accepted;
    std::uint64_t version = 0;  // grows with every save
    UtcTime accepted_at;
    UtcTime updated_at;
    UtcTime due_at;                        // not worked before
    std::uint32_t tries = 0;               // failed tries of the present step, for the backoff and the budget
    std::uint32_t deaths = 0;              // ends of the process while the present step was being worked
    bool in_work = false;                  // a worker has it: if the process ends now, that is a death
    std::optional<UtcTime> failing_since;  // the first of these tries; the budget's time counts from here

    // Why it waits, or, once let go, why it waited: a limit that a person waived is counted but not enforced again.
    std::optional<HeldReason> held_reason;
    std::string held_detail;               // for the person who decides
    std::optional<UtcTime> waiting_since;  // held: for a person; packaged: for the service to take it

    // pkcs.*
    Bytes sealed_key;        // PKCS#8, sealed; empty once the package is made
    Bytes csr;               // DER
    Bytes submission_nonce;  // 16 octets
    std::optional<Sha256> spki_sha256;
    std::string authority_request_id;
    Bytes certificate;         // DER, from `issued` on
    std::vector<Bytes> chain;  // DER, as the package's

    Bytes sealed_package;  // encode(Package), sealed; empty once accepted
    std::optional<Failure> failure;
    std::optional<std::string> outcome;  // the service's last word: accepted, duplicate, …
    // With that word: whose certificates it says it has, for as long as one of ours has to be looked for.
    std::vector<Sha256> held_by_service;
    bool revoke_certificate = false;  // an orphan: revoke once reported
};

// True where a person let it go on although a limit was reached.
[[nodiscard]] inline bool limit_waived(const RequestRecord& record) noexcept {
    return record.stage != Stage::held && record.held_reason == HeldReason::limit;
}

// What the sealing of one field of one record is bound to: the whole order, the record's id and the field.
[[nodiscard]] Bytes sealing_context(const RequestRecord& record, std::string_view field);

}  // namespace connector::request
