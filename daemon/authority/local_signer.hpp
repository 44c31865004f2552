// LocalSigner: the issuing CA's certificate and key, and what it is willing to sign. Knows no database and no thread.
// Profile: RFC 5280, RFC 8550/8551 and the S/MIME baseline as far as they suit a private CA; no policy OID, since
// 2.23.140.1.5.* asserts a vetting that only a publicly trusted CA's auditors can confirm.
// Refuses: what the template does not allow (nothing is silently corrected), extensions it does not know, keys that do
// not suit, and every certificate that would not verify against its own root: a foreign mail domain, a DNS name.
// Any thread; holds no state that changes.
#pragma once

#include "core/certificate.hpp"
#include "core/crypto/issue.hpp"
#include "core/crypto/key.hpp"
#include "core/error.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::authority {

// [authority.NAME.template.ALIAS] of a local authority.
struct LocalTemplate {
    KeyUsage key_usage{KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation | KeyUsage::k_key_encipherment |
                       KeyUsage::k_key_agreement};
    std::vector<std::string> extended_key_usage{std::string(eku::k_email_protection)};
    unsigned validity_days = 365;  // given where nothing is asked for, and the most that is given
    std::string crl_url;
    std::string aia_url;
    std::vector<std::string> policies;  // OIDs
};

// For clocks that are a little behind.
inline constexpr std::chrono::minutes k_backdating{5};

// kind: refused, code authorityRejected.
[[nodiscard]] inline Error rejected(const std::string& message) {
    return {ErrorKind::refused, "authorityRejected", message};
}

class LocalSigner {
public:
    // Reads ca.crt, ca.key and root.crt. Refuses the start where a private key of the root lies in `directory` or in
    // one of `other_places` (AT-70). kind: misconfigured, code authorityMisconfigured.
    [[nodiscard]] static Result<LocalSigner> open(const std::filesystem::path& directory,
                                                  const std::optional<SecretBytes>& passphrase,
                                                  const std::vector<std::filesystem::path>& other_places);

    // The template can be served by this CA at all. kind: misconfigured.
    [[nodiscard]] Result<void> check(const LocalTemplate& bounds) const;

    struct Signed {
        Bytes certificate;
        std::string serial_number;  // hex
        UtcTime not_after;
    };
    // `validity_days` 0 = the template's. kind: refused, code authorityRejected, with the reason; invalid for a CSR
    // that cannot be read; misconfigured where the CA itself has expired.
    [[nodiscard]] Result<Signed> sign(ByteView csr, const LocalTemplate& bounds, unsigned validity_days,
                                      UtcTime now) const;
    [[nodiscard]] Result<Bytes> crl(const std::vector<crypto::CrlEntry>& entries, std::uint64_t number,
                                    UtcTime this_update, UtcTime next_update) const;

    [[nodiscard]] const CertificateFacts& issuing() const noexcept { return issuing_; }
    [[nodiscard]] const CertificateFacts& root() const noexcept { return root_; }

private:
    LocalSigner(CertificateFacts issuing, CertificateFacts root, crypto::PrivateKey key) noexcept;

    CertificateFacts issuing_;
    CertificateFacts root_;
    crypto::PrivateKey key_;
};

// The first file under `place` that holds the root's private key, or a key that cannot be shown not to be it
// (encrypted, or a PFX). `issuing_key`: the file that may hold one, empty where none may. Databases are not opened:
// they may be in use in this process, and closing them would take SQLite's locks away (storage/database_files.hpp).
[[nodiscard]] std::optional<std::filesystem::path> find_root_key(const std::filesystem::path& place,
                                                                 const std::filesystem::path& issuing_key,
                                                                 const Sha256& root_key);

}  // namespace connector::authority
