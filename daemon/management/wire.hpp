// The management API's messages: JSON <-> domain, pure. Follows the management API, version 1; RFC 8259, RFC 9457.
// In: claims of a service that is trusted with nothing but the queue; every field is checked for form and size here.
// A bad element of a list hurts only itself. Unknown fields are ignored, null means absent.
// Refuses: duplicate keys, nesting over 16, control characters, oversized fields: code invalidRequest, JSON pointer
// first. Any thread; values only; fuzzed.
#pragma once

#include "core/ports/management_api.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::management {

// Facts of a DER certificate (core/crypto's inspect): for the metadata of what is delivered.
using Inspect = std::function<Result<CertificateFacts>(ByteView der)>;
// SHA-256 (core/crypto): for the order's hash.
using Hash = std::function<Sha256(ByteView octets)>;

// -- in ------------------------------------------------------------------------------------------------------------
// All decoders: kind invalid, code answerInvalid, where the answer as a whole is not of the API.

struct LeasedElements {
    std::vector<std::variant<ports::LeasedRequest, ports::UnreadableRequest>> requests;
    std::size_t skipped = 0;  // elements without a usable id and lease
};
[[nodiscard]] Result<LeasedElements> decode_lease(std::string_view body, const Hash& sha256);
// Entries without a usable id or time are left out: such a lease runs out by itself.
[[nodiscard]] Result<ports::RenewAnswer> decode_renewed(std::string_view body);
// Entries that cannot be read are left out: a missing outcome is asked for again.
[[nodiscard]] Result<std::vector<ports::ResultOutcome>> decode_outcomes(std::string_view body);

struct ImportedPage {
    std::vector<trust::ImportedRecord> records;
    std::vector<request::Omitted> unreadable;  // code importInvalid, and the thumbprint where it can be read, else ""
    std::optional<std::string> next_link;
};
// `with_secrets`: blob and password must be there; the administrator's list has neither.
[[nodiscard]] Result<ImportedPage> decode_imported_page(std::string_view body, bool with_secrets);
// One record (the answer to an administrator's call). `with_secrets`: blob and password must be there.
[[nodiscard]] Result<trust::ImportedRecord> decode_imported_record(std::string_view body, bool with_secrets);

// The service's answer to an enrolment or a renewal of the connector's own certificate.
struct Enrolment {
    ConnectorId id;
    std::string certificate;         // PEM
    std::vector<std::string> chain;  // PEM, one each
    std::optional<UtcTime> renew_after;
};
[[nodiscard]] Result<Enrolment> decode_enrolment(std::string_view body);

// RFC 9457 with a code. Both are harmless: `code` is a camelCase word or "", `detail` printable, at most 512 octets.
struct Problem {
    std::string code;
    std::string detail;  // detail, else title
};
// Empty where the body is no problem document.
[[nodiscard]] Problem decode_problem(std::string_view body);

// One connector of the tenant, as a heartbeat may tell.
struct KnownConnector {
    std::string id;
    std::string name;
    std::optional<UtcTime> enrolled_at;
    bool approved = true;
};
[[nodiscard]] Result<std::vector<KnownConnector>> decode_connectors(std::string_view body);

// -- out -----------------------------------------------------------------------------------------------------------

[[nodiscard]] std::string encode_lease(std::size_t max_requests, std::chrono::seconds wait,
                                       const std::vector<request::Kind>& kinds);
[[nodiscard]] std::string encode_lease_renewal(const std::vector<LeaseId>& leases);
[[nodiscard]] std::string encode_heartbeat(const ports::Heartbeat& beat);
// One element of `results`. kind: invalid, code resultsRefused, where a certificate of the package cannot be read.
[[nodiscard]] Result<std::string> encode_result(const ports::ResultMessage& message, const Inspect& inspect);
// The body of elements already encoded.
[[nodiscard]] std::string encode_results(const std::vector<std::string>& elements);

struct EnrolmentOrder {
    std::string name;
    std::string version;
    std::string platform;  // linux | windows
    std::string csr;       // PEM
    std::vector<request::Kind> features;
    std::optional<ConnectorId> connector;  // enrols the same connector anew

    EnrolmentOrder() = default;
};
[[nodiscard]] std::string encode_enrolment(const EnrolmentOrder& order);
[[nodiscard]] std::string encode_certificate_renewal(std::string_view csr_pem);
// What an administrator's import sends; id and the two times are the service's to set.
[[nodiscard]] std::string encode_imported_record(const trust::ImportedRecord& record);

}  // namespace connector::management
