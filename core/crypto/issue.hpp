// Certificates and revocation lists made: what the embedded CA and the tests' authorities sign.
// Decides nothing: who may have what is the caller's policy. Refuses what RFC 5280 cannot encode, and an issuer key
// that is not the issuer certificate's.
// Any thread; values only.
#pragma once

#include "core/certificate.hpp"
#include "core/crypto/key.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::crypto {

// RFC 5280 4.2.1.10, always critical. A permitted list that is empty says nothing about that form.
struct NameConstraints {
    std::vector<std::string>
        permitted_email;  // "corp.example": mailboxes at exactly that host; ".corp.example": below it
    std::vector<std::string> permitted_dns;
    std::vector<std::string> permitted_uri;
    bool exclude_all_addresses = false;  // 0.0.0.0/0 and ::/0

    // A CA for mailboxes at these domains and nothing else: DNS and URI names are permitted under "invalid" only
    // (excluded;DNS:. does not refuse a host name in OpenSSL 3.0), addresses not at all.
    [[nodiscard]] static NameConstraints mail_only(std::vector<std::string> domains);
};

struct CertificateOrder {
    Bytes serial;  // unsigned, big-endian; positive and at most 20 octets as DER INTEGER
    Name subject;
    Bytes spki;  // DER SubjectPublicKeyInfo
    UtcTime not_before;
    UtcTime not_after;
    bool is_ca = false;
    std::optional<unsigned> path_length;          // for a CA
    KeyUsage key_usage;                           // critical; no bits: no extension
    std::vector<std::string> extended_key_usage;  // dotted OIDs
    std::vector<GeneralName> alternative_names;
    bool alternative_names_critical = false;
    std::optional<NameConstraints> name_constraints;
    std::vector<std::string> policies;  // dotted OIDs
    std::vector<std::string> crl_urls;  // one distribution point each
    std::vector<std::string> aia_urls;  // caIssuers
    std::optional<std::string> security_identifier;
    bool subject_key_identifier = true;  // SHA-1 of the key (RFC 5280 4.2.1.2 (1)); false is for tests
};

// DER, signed with SHA-256 (P-384 and up: SHA-384). AKI is the issuer's key identifier alone.
// kind: invalid (naming what), internal where the key is not the certificate's.
[[nodiscard]] Result<Bytes> issue(const CertificateOrder& order, ByteView issuer_certificate,
                                  const PrivateKey& issuer_key);
// The root: order.spki is ignored, the key's own stands in it.
[[nodiscard]] Result<Bytes> issue_self_signed(const CertificateOrder& order, const PrivateKey& key);
// A fresh serial: 20 octets of which 158 bits are random, positive.
[[nodiscard]] Bytes random_serial();

// RFC 5280 5.3.1.
enum class RevocationReason {
    unspecified = 0,
    key_compromise = 1,
    ca_compromise = 2,
    affiliation_changed = 3,
    superseded = 4,
    cessation_of_operation = 5,
    certificate_hold = 6,
    remove_from_crl = 8,
    privilege_withdrawn = 9,
    aa_compromise = 10
};
// RFC 5280's words (`keyCompromise` …).
[[nodiscard]] std::string_view to_string(RevocationReason reason) noexcept;
[[nodiscard]] std::optional<RevocationReason> parse_revocation_reason(std::string_view word) noexcept;

struct CrlEntry {
    Bytes serial;  // unsigned, big-endian
    UtcTime revoked_at;
    RevocationReason reason = RevocationReason::unspecified;  // which is not written (RFC 5280 5.3.1)
};
// DER, version 2, with AKI and CRL number, entries in the order given. kind: invalid, internal as issue().
[[nodiscard]] Result<Bytes> make_crl(ByteView issuer_certificate, const PrivateKey& issuer_key,
                                     const std::vector<CrlEntry>& entries, std::uint64_t number, UtcTime this_update,
                                     UtcTime next_update);

struct CrlFacts {
    Name issuer;
    UtcTime this_update;
    std::optional<UtcTime> next_update;
    std::optional<std::string> number;  // hex as a serial number
    std::vector<CrlEntry> entries;
    bool partial = false;  // delta, indirect or scoped: absence from it proves nothing
};
// A result means that `issuer_certificate` has the CRL's issuer as its name and that its key signed it. DER, whole, at
// most 16 MiB. Dates are the caller's business. kind: invalid; refused for a foreign or broken signature.
[[nodiscard]] Result<CrlFacts> inspect_crl(ByteView crl, ByteView issuer_certificate);
// Whether the serial (unsigned, big-endian, leading zeros ignored) stands in it. The signature is not looked at.
// kind: invalid.
[[nodiscard]] Result<bool> crl_contains(ByteView crl, ByteView serial);

}  // namespace connector::crypto
