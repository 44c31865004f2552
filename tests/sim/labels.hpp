// Fake cryptography that shows leaks: keys, certificates and packages are labels in one registry, and a label of a
// secret begins with the canary. What a holder may do with a label is what a holder of the real thing could: a sealed
// secret is scrambled, an envelope says nothing without the registry. The registry outlives every simulated process.
// One thread.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/ports/key_service.hpp"
#include "core/ports/packager.hpp"
#include "core/ports/pfx_opener.hpp"
#include "core/ports/sealer.hpp"
#include "tests/sim/random.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sim {

inline constexpr std::string_view k_canary = "CANARY";
[[nodiscard]] bool holds_canary(std::string_view text) noexcept;
[[nodiscard]] inline bool holds_canary(ByteView octets) noexcept {
    return holds_canary(text_of(octets));
}

[[nodiscard]] Sha256 digest_of(std::string_view use, ByteView octets);

class Labels {
public:
    struct Csr {
        ports::CsrContent content;
        KeyType type = KeyType::rsa2048;
        Sha256 spki;
    };
    struct PfxContent {
        std::string key;
        Bytes certificate;
        std::vector<Bytes> chain;
        std::string password;
    };
    struct Envelope {
        Bytes recipient_certificate;
        RequestId request;
        std::string purpose;
        std::uint64_t sequence = 0;
        std::vector<std::pair<Bytes, std::string>> identities;  // PFX label and password
    };

    // A new label of its kind: "CERT-000001".
    [[nodiscard]] Bytes fresh(std::string_view kind);
    // Gives the facts their octets and digests; `issuer` is a certificate's label, empty for a root.
    Bytes add_certificate(CertificateFacts facts, Bytes issuer);
    [[nodiscard]] const CertificateFacts* certificate(ByteView label) const;
    [[nodiscard]] const Bytes* issuer_of(ByteView label) const;
    [[nodiscard]] std::string add_key(const Sha256& spki);
    // Content and its signature, by the key of that certificate.
    [[nodiscard]] Bytes sign(std::string content, Bytes signer);

    std::map<Bytes, Csr> csrs;
    std::set<Bytes> comes_apart;  // issuers that build a chain only where they are among the candidates
    std::map<std::string, Sha256> keys;
    std::map<Bytes, PfxContent> pfx;
    std::map<Bytes, Envelope> envelopes;
    std::map<Bytes, std::string> wrapped_passwords;
    std::map<Bytes, std::pair<std::string, Bytes>> signatures;

private:
    struct Known {
        CertificateFacts facts;
        Bytes issuer;
    };
    std::map<Bytes, Known> certificates_;
    std::uint64_t last_ = 0;
};

// The facts that every certificate of the simulation has; the caller sets the rest.
[[nodiscard]] CertificateFacts plain_facts(std::string_view common_name, const Sha256& spki, std::uint64_t serial);

class LabelCrypto final : public ports::Crypto, public ports::PfxOpener {
public:
    LabelCrypto(Labels& labels, Random random) : labels_(labels), random_(random) {}

    Result<ports::KeyAndCsr> generate(KeyType type, const ports::CsrContent& content) const override;
    Result<CertificateFacts> inspect(ByteView certificate) const override;
    bool issued_by(ByteView certificate, ByteView issuer) const override;
    Result<ports::VerifiedChain> verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                              const std::vector<Bytes>& anchors, UtcTime now) const override;
    bool key_fits(const SecretBytes& pkcs8, ByteView certificate) const override;
    Result<ports::Pfx> pack(const SecretBytes& pkcs8, ByteView certificate, const std::vector<Bytes>& chain,
                            ports::PfxStyle style) const override;
    Result<ports::Identity> open_pfx(ByteView pfx, const SecretBytes& password) const override;
    Result<SecretBytes> sign_attached(ByteView content, const ports::Signer& signer) const override;
    Result<ports::VerifiedContent> verify_attached(ByteView cms, const std::vector<Bytes>& trusted) const override;
    Result<Bytes> verify_detached(ByteView cms, ByteView content, const Sha256& signer_spki) const override;
    Result<Bytes> envelop(ByteView content, ByteView recipient_certificate) const override;
    Result<SecretBytes> unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext, ports::OaepHash hash) const override;
    Sha256 sha256(ByteView octets) const override { return digest_of("sha256", octets); }
    Bytes random(std::size_t size) const override;

private:
    Labels& labels_;
    mutable Random random_;
};

// Knows every wrapped password of the registry.
class LabelKeys final : public ports::KeyService {
public:
    explicit LabelKeys(const Labels& labels) : labels_(labels) {}
    bool has(std::string_view provider, std::string_view key_name) const override;
    Result<SecretBytes> unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                               ports::OaepHash hash) const override;

private:
    const Labels& labels_;
};

// Scrambles, so that a canary in the database is one that was not sealed; notices any other key or context.
class LabelSealer final : public ports::Sealer {
public:
    explicit LabelSealer(std::uint64_t key) : key_(key) {}
    Result<Bytes> seal(ByteView secret, ByteView context) const override;
    Result<SecretBytes> open(ByteView sealed, ByteView context) const override;
    Sha256 check_value(ByteView octets) const override { return digest_of("row", octets); }
    Sha256 audit_link(ByteView octets) const override { return digest_of("audit", octets); }

private:
    [[nodiscard]] Sha256 tag(ByteView body, ByteView context) const;
    std::uint64_t key_;
};

}  // namespace connector::sim
