// Port: the cryptography the engine needs, as values in and values out.
// Calls compute and may take long (an RSA key: a second); they run on the crypto pool, never on cc-io.
// Every call may be made from several threads at once. core/crypto is the real one; the simulator labels keys instead.
#pragma once

#include "core/certificate.hpp"
#include "core/request/request.hpp"
#include "core/secret.hpp"

#include <vector>

namespace connector::ports {

// What a certificate signing request (RFC 2986) asks for.
struct CsrContent {
    Name subject;
    std::vector<GeneralName> alternative_names;
    bool alternative_names_critical = false;  // RFC 5280 4.2.1.6: where the subject is empty
    KeyUsage key_usage;
    std::vector<std::string> extended_key_usage;     // dotted OIDs
    std::optional<std::string> security_identifier;  // S-1-…: as extension 1.3.6.1.4.1.311.25.2
};
struct KeyAndCsr {
    SecretBytes pkcs8;  // DER PrivateKeyInfo
    Bytes csr;          // DER
    Sha256 spki_sha256;
};

enum class PfxStyle { aes256, legacy3des };
struct Pfx {
    Bytes der;
    SecretBytes password;  // 32 of A–Z a–z 0–9, fresh
};

// One identity out of a PFX.
struct Identity {
    SecretBytes pkcs8;
    Bytes certificate;             // DER
    std::vector<Bytes> chain;      // DER, the issuers in order as far as the PFX holds them, leaf excluded
    bool weak_encryption = false;  // RC2-40: opened in a private library context, worth a warning
};

// What the CA's answer was built into.
struct VerifiedChain {
    std::vector<Bytes> issuers;  // DER, the leaf's issuer first, up to and with the root
};

struct Signer {
    Bytes certificate;         // DER
    std::vector<Bytes> chain;  // DER, without the certificate itself
    SecretBytes pkcs8;
};

struct VerifiedContent {
    Bytes content;
    Bytes signer_certificate;  // DER
};

enum class OaepHash { sha256, sha384, sha512 };

class Crypto {
public:
    virtual ~Crypto() = default;

    // A new key and a CSR signed by it. RSA with e = 65537; SHA-256 (P-384: SHA-384). kind: internal.
    [[nodiscard]] virtual Result<KeyAndCsr> generate(KeyType type, const CsrContent& content) const = 0;

    // Facts of one DER certificate, no octet before or after it, at most 64 KiB. kind: invalid.
    [[nodiscard]] virtual Result<CertificateFacts> inspect(ByteView certificate) const = 0;
    // True where `issuer`'s key signed `certificate` and its name is the issuer's name (no chain, no dates).
    [[nodiscard]] virtual bool issued_by(ByteView certificate, ByteView issuer) const = 0;
    // Builds and verifies the leaf's chain to one of `anchors` at `now`: RFC 5280 strict, security level 2, name
    // constraints. kind: refused with OpenSSL's reason.
    [[nodiscard]] virtual Result<VerifiedChain> verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                                             const std::vector<Bytes>& anchors, UtcTime now) const = 0;
    // True where the private key belongs to the certificate.
    [[nodiscard]] virtual bool key_fits(const SecretBytes& pkcs8, ByteView certificate) const = 0;

    // Packs, then reads back and compares key, certificate and chain. `chain` as it is to be written: for devices
    // without the root. kind: internal.
    [[nodiscard]] virtual Result<Pfx> pack(const SecretBytes& pkcs8, ByteView certificate,
                                           const std::vector<Bytes>& chain, PfxStyle style) const = 0;
    // CMS SignedData (RFC 5652): attached, DER, SHA-256, the signer's certificate and chain in it.
    [[nodiscard]] virtual Result<SecretBytes> sign_attached(ByteView content, const Signer& signer) const = 0;
    // One signer, whose certificate is octet for octet one of `trusted` (no chain, no dates). kind: refused.
    [[nodiscard]] virtual Result<VerifiedContent> verify_attached(ByteView cms,
                                                                  const std::vector<Bytes>& trusted) const = 0;
    // Detached, over `content`, by the key whose SubjectPublicKeyInfo has this SHA-256. Gives the certificate of it
    // that came along (no chain, no dates). kind: refused.
    [[nodiscard]] virtual Result<Bytes> verify_detached(ByteView cms, ByteView content,
                                                        const Sha256& signer_spki) const = 0;
    // CMS AuthEnvelopedData (RFC 5083, 5084): AES-256-GCM, one recipient, as the management API has it.
    [[nodiscard]] virtual Result<Bytes> envelop(ByteView content, ByteView recipient_certificate) const = 0;

    // RSA-OAEP, MGF1 with the same hash, empty label. One text for every cause. code importUndecryptable.
    [[nodiscard]] virtual Result<SecretBytes> unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext,
                                                          OaepHash hash) const = 0;

    [[nodiscard]] virtual Sha256 sha256(ByteView octets) const = 0;
    // Octets from the operating system's generator; for nonces.
    [[nodiscard]] virtual Bytes random(std::size_t size) const = 0;
};

}  // namespace connector::ports
