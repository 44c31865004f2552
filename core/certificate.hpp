// What the domain knows of certificates and keys: facts read out of them, never the parser's objects.
// Names follow RFC 5280. Any thread; values only. core/crypto makes these facts.
#pragma once

#include "core/bytes.hpp"
#include "core/name.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector {

enum class KeyType { rsa2048, rsa3072, rsa4096, ec_p256, ec_p384 };
// The management API's words: rsa2048 … ecP384.
[[nodiscard]] std::string_view to_string(KeyType type) noexcept;
[[nodiscard]] std::optional<KeyType> parse_key_type(std::string_view text) noexcept;

// RFC 5280 4.2.1.3, one bit each, bit 0 = digitalSignature.
class KeyUsage {
public:
    static constexpr std::uint16_t k_digital_signature = 1U << 0U;
    static constexpr std::uint16_t k_non_repudiation = 1U << 1U;
    static constexpr std::uint16_t k_key_encipherment = 1U << 2U;
    static constexpr std::uint16_t k_data_encipherment = 1U << 3U;
    static constexpr std::uint16_t k_key_agreement = 1U << 4U;
    static constexpr std::uint16_t k_key_cert_sign = 1U << 5U;
    static constexpr std::uint16_t k_crl_sign = 1U << 6U;
    static constexpr std::uint16_t k_encipher_only = 1U << 7U;
    static constexpr std::uint16_t k_decipher_only = 1U << 8U;

    constexpr KeyUsage() noexcept = default;
    constexpr explicit KeyUsage(std::uint16_t bits) noexcept : bits_(bits) {}
    [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }
    [[nodiscard]] constexpr bool any_of(std::uint16_t wanted) const noexcept { return (bits_ & wanted) != 0; }
    [[nodiscard]] constexpr bool within(KeyUsage allowed) const noexcept {
        return (bits_ & static_cast<std::uint16_t>(~allowed.bits_)) == 0;
    }
    // RFC 5280's words; `contentCommitment` is read as nonRepudiation. nullopt for a foreign word.
    [[nodiscard]] static std::optional<KeyUsage> parse_one(std::string_view word) noexcept;
    [[nodiscard]] std::vector<std::string_view> words() const;
    auto operator<=>(const KeyUsage&) const = default;

private:
    std::uint16_t bits_ = 0;
};

enum class NameForm {
    email,      // rfc822Name, ASCII local part, domain as A-labels
    smtp_utf8,  // otherName 1.3.6.1.5.5.7.8.9 (RFC 9598): only where the local part is not ASCII
    upn,        // otherName 1.3.6.1.4.1.311.20.2.3
    dns,
    uri,
    other  // anything else; value = what it was, for messages
};
struct GeneralName {
    NameForm form = NameForm::other;
    std::string value;  // UTF-8
    bool operator==(const GeneralName&) const = default;
};

enum class KeyAlgorithm { rsa, rsa_pss, ec, other };
struct PublicKeyFacts {
    KeyAlgorithm algorithm = KeyAlgorithm::other;
    unsigned bits = 0;
    bool exponent_fit = false;  // RSA: odd and at least 65537
    std::string curve;          // EC: "P-256", "P-384", "P-521" if a *named* curve, else ""
    Sha256 spki_sha256;         // of the DER SubjectPublicKeyInfo
};

struct CertificateFacts {
    Bytes der;
    Sha256 sha256;
    Thumbprint thumbprint;
    PublicKeyFacts key;
    std::string serial_number;  // hex of the positive integer, whole octets, no leading 00
    bool serial_fit = false;    // positive and at most 20 octets
    Name subject;
    Name issuer;
    UtcTime not_before;
    UtcTime not_after;
    std::vector<GeneralName> alternative_names;
    bool alternative_names_critical = false;
    std::optional<KeyUsage> key_usage;                           // nullopt: no such extension
    std::optional<std::vector<std::string>> extended_key_usage;  // dotted OIDs; nullopt: no such extension
    std::vector<std::string> policies;                           // dotted OIDs
    bool is_ca = false;
    bool signature_strong = false;    // SHA-256 or better; SHA-1 and MD5 are not
    std::string signature_algorithm;  // for messages
    std::optional<Bytes> subject_key_identifier;
    std::optional<Bytes> authority_key_identifier;
    std::optional<std::string> security_identifier;  // 1.3.6.1.4.1.311.25.2
    // 1.3.6.1.4.1.311.21.10: Windows goes by these before it looks at the extended key usage. nullopt: no such
    // extension, or one that does not parse.
    std::optional<std::vector<std::string>> application_policies;
    std::vector<std::string> extensions;  // every extension's OID, in order
};

namespace eku {
inline constexpr std::string_view k_email_protection = "1.3.6.1.5.5.7.3.4";
inline constexpr std::string_view k_client_auth = "1.3.6.1.5.5.7.3.2";
inline constexpr std::string_view k_any = "2.5.29.37.0";
}  // namespace eku

}  // namespace connector
