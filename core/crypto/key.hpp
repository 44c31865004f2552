// PrivateKey: a private key that can be used and moved, and seen only as SecretBytes.
// Refuses: copies, files, traditional key formats on the way out. One object may be used by several threads at once
// (all uses are const); its OpenSSL object is wiped when it goes.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY, opaque here

namespace connector::crypto {

class PrivateKey {
public:
    // RSA with e = 65537, or a named curve. May take seconds. kind: internal.
    [[nodiscard]] static Result<PrivateKey> generate(KeyType type);
    // DER PrivateKeyInfo (RFC 5208), no octet after it; RSA, EC and Ed25519/Ed448. kind: invalid.
    [[nodiscard]] static Result<PrivateKey> from_pkcs8(const SecretBytes& der);
    // PEM: "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", and the traditional "RSA/EC PRIVATE KEY"; the first key in the text.
    // Never prompts. kind: invalid; unauthorized where it is encrypted and the passphrase is missing or wrong.
    [[nodiscard]] static Result<PrivateKey> from_pem(const SecretBytes& pem);
    [[nodiscard]] static Result<PrivateKey> from_pem(const SecretBytes& pem, const SecretBytes& passphrase);

    PrivateKey(PrivateKey&& other) noexcept;
    PrivateKey& operator=(PrivateKey&& other) noexcept;
    PrivateKey(const PrivateKey&) = delete;
    PrivateKey& operator=(const PrivateKey&) = delete;
    ~PrivateKey();

    // DER PrivateKeyInfo. kind: internal.
    [[nodiscard]] Result<SecretBytes> to_pkcs8() const;
    // "PRIVATE KEY".
    [[nodiscard]] Result<SecretBytes> to_pem() const;
    // "ENCRYPTED PRIVATE KEY": PBES2, AES-256-CBC, PBKDF2-HMAC-SHA256, 600,000 iterations. kind: internal; invalid for
    // an empty passphrase.
    [[nodiscard]] Result<SecretBytes> to_pem(const SecretBytes& passphrase) const;

    // DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7).
    [[nodiscard]] const Bytes& spki_der() const noexcept { return spki_; }
    // SHA-256 of it: the key's name everywhere in the connector.
    [[nodiscard]] const Sha256& spki_sha256() const noexcept { return spki_sha256_; }
    [[nodiscard]] const PublicKeyFacts& facts() const noexcept { return facts_; }
    // "PUBLIC KEY".
    [[nodiscard]] std::string public_pem() const;

    // True where the certificate carries this key's public half.
    [[nodiscard]] bool fits(ByteView certificate) const;

    // For those who must hand it to OpenSSL (TLS); stays owned here.
    [[nodiscard]] evp_pkey_st* native() const noexcept { return handle_.get(); }

private:
    struct Release {
        void operator()(evp_pkey_st* handle) const noexcept;
    };
    friend struct PrivateKeyAccess;
    PrivateKey() noexcept;

    std::unique_ptr<evp_pkey_st, Release> handle_;
    Bytes spki_;
    Sha256 spki_sha256_;
    PublicKeyFacts facts_;
};

// The SubjectPublicKeyInfo of a "PUBLIC KEY" PEM (the first in the text), verified to be a key. kind: invalid.
[[nodiscard]] Result<Bytes> public_key_from_pem(std::string_view text);
// Facts of a DER SubjectPublicKeyInfo. A key of an unknown kind gives KeyAlgorithm::other. kind: invalid.
[[nodiscard]] Result<PublicKeyFacts> inspect_public_key(ByteView spki);

}  // namespace connector::crypto
