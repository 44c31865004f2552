// Between the domain's values and OpenSSL's objects: names, alternative names, times, serial numbers, extensions, keys.
// Only the .cpp files of core/crypto include this. Errors are kind invalid and name the field.
#pragma once

#include "core/certificate.hpp"
#include "core/crypto/internal/openssl.hpp"
#include "core/crypto/key.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::crypto {

[[nodiscard]] Result<X509NamePtr> to_x509_name(const Name& name);
[[nodiscard]] Result<Name> from_x509_name(const X509_NAME* name);

[[nodiscard]] Result<GeneralNames> to_general_names(const std::vector<GeneralName>& names);
[[nodiscard]] Result<std::vector<GeneralName>> from_general_names(const GENERAL_NAMES* names);

// X.680 41.4.
[[nodiscard]] bool printable_string(std::string_view text) noexcept;
[[nodiscard]] Asn1String make_string(int type, std::string_view value);
// null where `value` cannot be of that string type.
[[nodiscard]] GeneralNamePtr make_other_name(std::string_view type_oid, int string_type, std::string_view value);

[[nodiscard]] Asn1Time to_asn1_time(UtcTime time);
[[nodiscard]] std::optional<UtcTime> from_asn1_time(const ASN1_TIME* time);

// Unsigned, big-endian octets; null for zero, for none and for more than 20 octets as a DER INTEGER.
[[nodiscard]] Asn1Integer to_serial(ByteView octets);
// Hex of the magnitude in whole octets without leading 00; a negative number has a `-` before it.
[[nodiscard]] std::string serial_text(const ASN1_INTEGER* serial);
[[nodiscard]] bool serial_fits(const ASN1_INTEGER* serial);

[[nodiscard]] PublicKeyFacts key_facts(X509_PUBKEY* key);
// Of a key whose encoding is at hand, without decoding it again.
[[nodiscard]] PublicKeyFacts key_facts(ByteView spki, const EVP_PKEY* handle);

// EVP_PKCS82PKEY, which takes three times as long as the decoder of the one kind that the octets name; null where they
// do not parse.
[[nodiscard]] PKey private_key_from(const PKCS8_PRIV_KEY_INFO* info);

// Whole, at most k_largest_certificate, DER. The object is given to other callers and threads too: it is read, never
// changed.
[[nodiscard]] Result<Certificate> parse_certificate(ByteView der);
[[nodiscard]] Result<Certificates> parse_certificates(const std::vector<Bytes>& ders);

// What certificates and requests have in common.
struct ExtensionFacts {
    std::vector<GeneralName> alternative_names;
    bool alternative_names_critical = false;
    std::optional<KeyUsage> key_usage;
    std::optional<std::vector<std::string>> extended_key_usage;
    std::optional<std::string> security_identifier;
    std::vector<std::string> policies;
    std::optional<std::vector<std::string>> application_policies;  // nullopt also where they do not parse
    bool is_ca = false;
    std::optional<Bytes> subject_key_identifier;
    std::optional<Bytes> authority_key_identifier;
    std::vector<std::string> oids;
};
[[nodiscard]] Result<ExtensionFacts> read_extensions(const STACK_OF(X509_EXTENSION) * extensions);

// Adds what is asked for to a list; empty values add nothing.
struct WantedExtensions {
    const std::vector<GeneralName>* alternative_names = nullptr;
    bool alternative_names_critical = false;
    KeyUsage key_usage;
    const std::vector<std::string>* extended_key_usage = nullptr;
    const std::optional<std::string>* security_identifier = nullptr;
};
[[nodiscard]] Result<void> add_extensions(Extensions& list, const WantedExtensions& wanted);
[[nodiscard]] Result<void> add_extension(Extensions& list, int nid, void* value, bool critical);

// What a key signs with: SHA-256; P-384: SHA-384; P-521: SHA-512; null for Ed25519 and Ed448.
[[nodiscard]] const EVP_MD* signing_digest(const EVP_PKEY* key);
// SHA-256, SHA-384, SHA-512 and their SHA-3 sisters.
[[nodiscard]] bool strong_digest(int nid) noexcept;

struct PrivateKeyAccess {
    // Takes the handle, derives everything else from it. kind: invalid.
    [[nodiscard]] static Result<PrivateKey> adopt(PKey handle);
};
// The private half really is the public half's: one signature made and verified.
[[nodiscard]] bool proves_possession(const PrivateKey& key, ByteView certificate);

}  // namespace connector::crypto
