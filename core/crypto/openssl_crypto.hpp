// OpenSslCrypto: the crypto port on OpenSSL 3.0. Holds no state; every call may run on several threads at once.
// Calls compute and belong on the crypto pool. As PfxOpener it parses in this process: for files that are ours, and
// tests.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/ports/pfx_opener.hpp"

namespace connector::crypto {

class OpenSslCrypto final : public ports::Crypto, public ports::PfxOpener {
public:
    [[nodiscard]] Result<ports::KeyAndCsr> generate(KeyType type, const ports::CsrContent& content) const override;
    [[nodiscard]] Result<CertificateFacts> inspect(ByteView certificate) const override;
    [[nodiscard]] bool issued_by(ByteView certificate, ByteView issuer) const override;
    [[nodiscard]] Result<ports::VerifiedChain> verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                                            const std::vector<Bytes>& anchors,
                                                            UtcTime now) const override;
    [[nodiscard]] bool key_fits(const SecretBytes& pkcs8, ByteView certificate) const override;
    [[nodiscard]] Result<ports::Pfx> pack(const SecretBytes& pkcs8, ByteView certificate,
                                          const std::vector<Bytes>& chain, ports::PfxStyle style) const override;
    [[nodiscard]] Result<ports::Identity> open_pfx(ByteView pfx, const SecretBytes& password) const override;
    [[nodiscard]] Result<SecretBytes> sign_attached(ByteView content, const ports::Signer& signer) const override;
    [[nodiscard]] Result<Bytes> verify_detached(ByteView cms, ByteView content,
                                                const Sha256& signer_spki) const override;
    [[nodiscard]] Result<ports::VerifiedContent> verify_attached(ByteView cms,
                                                                 const std::vector<Bytes>& trusted) const override;
    [[nodiscard]] Result<Bytes> envelop(ByteView content, ByteView recipient_certificate) const override;
    [[nodiscard]] Result<SecretBytes> unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext,
                                                  ports::OaepHash hash) const override;
    [[nodiscard]] Sha256 sha256(ByteView octets) const override;
    [[nodiscard]] Bytes random(std::size_t size) const override;
};

}  // namespace connector::crypto
