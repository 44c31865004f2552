// The operator's policy: what may stand in a certificate, and whether what the authority returned is just that.
// Deny by default. Follows the operator contract, [policy]; RFC 5280; the S/MIME baseline profile. Pure; any thread.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/request/subject.hpp"
#include "core/trust/person.hpp"

#include <string>
#include <vector>

namespace connector::request {

struct PolicyRules {
    trust::IdentitySource identity = trust::IdentitySource::certificate;
    std::vector<std::string> allowed_mail_domains;
    std::vector<SanType> allowed_san_types{SanType::email};
    KeyUsage allowed_key_usages{KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation};
    std::vector<std::string> allowed_extended_key_usages{std::string(eku::k_email_protection)};
    unsigned max_validity_days = 824;
    std::vector<KeyType> key_types{KeyType::rsa2048, KeyType::rsa3072, KeyType::rsa4096, KeyType::ec_p256,
                                   KeyType::ec_p384};
    bool allow_security_identifier = false;
};

// What will be asked of the authority, all of it proved and allowed.
struct CertificatePlan {
    KeyType key_type = KeyType::rsa2048;
    ports::CsrContent csr;
    unsigned validity_days = 0;  // 0 = the authority's own, bounded by max_validity_days
    unsigned renewal_threshold_percent = 20;
};

// Fills the names and holds them against the person and the rules. code invalidRequest or policyRefused (/pointer
// first): the pointer is the claim's (/user/mail) where a variable brought in what the person does not prove, else the
// profile's.
[[nodiscard]] Result<CertificatePlan> plan_certificate(const CertificateRequest& request, const trust::Person& person,
                                                       const PolicyRules& rules);

// The twelve checks of a returned certificate that need no network, and nothing beyond the policy: the key, SAN set,
// subject, KU, EKU, extensions, validity, serial, algorithms, CA flag, identifiers. The chain is verified by crypto
// before. `issuer` are the facts of the leaf's issuer, `now` the time of the check. code certificateMismatch; the
// message begins with the check's name ("subjectAltName: …").
[[nodiscard]] Result<void> check_issued(const CertificatePlan& plan, const Sha256& spki_sha256,
                                        const CertificateFacts& leaf, const CertificateFacts& issuer,
                                        const PolicyRules& rules, UtcTime now);

// notAfter less renewalThresholdPercent % of the lifetime.
[[nodiscard]] UtcTime renew_after(const CertificateFacts& certificate, unsigned threshold_percent);

// aes256 or legacy3des under `auto`: by platform and version (iOS and macOS before 18 and 15, Android before 14,
// Windows before 10.0.16299: legacy). `legacy_allowed` = [delivery] pkcs12_legacy is "auto".
// An explicit legacy3des for a platform that reads aes256, or where legacy is never allowed: policyRefused. A version
// that is not stated counts as new: silence must not bring about the weaker encryption.
[[nodiscard]] Result<ports::PfxStyle> choose_style(Pkcs12Choice choice, Platform platform,
                                                   const std::optional<std::string>& os_version, bool legacy_allowed);

// windowsCsp goes to Windows, appleProfile to iOS and macOS, both to RSA keys alone. code unsupported.
[[nodiscard]] Result<void> check_delivery(const Delivery& delivery, Platform platform, KeyAlgorithm recipient_key);

}  // namespace connector::request
