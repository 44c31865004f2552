#include "core/crypto/openssl_crypto.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "core/crypto/cms.hpp"
#include "core/crypto/csr.hpp"
#include "core/crypto/key.hpp"
#include "core/crypto/oaep.hpp"
#include "core/crypto/pfx.hpp"

namespace connector::crypto {

Result<ports::KeyAndCsr> OpenSslCrypto::generate(KeyType type, const ports::CsrContent& content) const {
    const auto key = PrivateKey::generate(type);
    if (!key) return key.error();
    auto csr = make_csr(*key, content);
    if (!csr) return csr.error();
    auto pkcs8 = key->to_pkcs8();
    if (!pkcs8) return pkcs8.error();
    return ports::KeyAndCsr{std::move(*pkcs8), std::move(*csr), key->spki_sha256()};
}

Result<CertificateFacts> OpenSslCrypto::inspect(ByteView certificate) const {
    return crypto::inspect(certificate);
}

bool OpenSslCrypto::issued_by(ByteView certificate, ByteView issuer) const {
    return crypto::issued_by(certificate, issuer);
}

Result<ports::VerifiedChain> OpenSslCrypto::verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                                         const std::vector<Bytes>& anchors, UtcTime now) const {
    auto issuers = crypto::verify_chain(leaf, candidates, anchors, now);
    if (!issuers) return issuers.error();
    return ports::VerifiedChain{std::move(*issuers)};
}

bool OpenSslCrypto::key_fits(const SecretBytes& pkcs8, ByteView certificate) const {
    const auto key = PrivateKey::from_pkcs8(pkcs8);
    return key && key->fits(certificate);
}

Result<ports::Pfx> OpenSslCrypto::pack(const SecretBytes& pkcs8, ByteView certificate, const std::vector<Bytes>& chain,
                                       ports::PfxStyle style) const {
    const auto key = PrivateKey::from_pkcs8(pkcs8);
    if (!key) return key.error();
    return crypto::pack(*key, certificate, chain, style);
}

Result<ports::Identity> OpenSslCrypto::open_pfx(ByteView pfx, const SecretBytes& password) const {
    return crypto::open_pfx(pfx, password);
}

Result<SecretBytes> OpenSslCrypto::sign_attached(ByteView content, const ports::Signer& signer) const {
    return crypto::sign_attached(content, signer);
}

Result<ports::VerifiedContent> OpenSslCrypto::verify_attached(ByteView cms, const std::vector<Bytes>& trusted) const {
    return crypto::verify_attached(cms, trusted);
}

Result<Bytes> OpenSslCrypto::verify_detached(ByteView cms, ByteView content, const Sha256& signer_spki) const {
    return crypto::verify_detached(cms, content, signer_spki, {});
}

Result<Bytes> OpenSslCrypto::envelop(ByteView content, ByteView recipient_certificate) const {
    return crypto::envelop(content, recipient_certificate);
}

Result<SecretBytes> OpenSslCrypto::unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext,
                                               ports::OaepHash hash) const {
    return crypto::unwrap_oaep(pkcs8, ciphertext, hash);
}

Sha256 OpenSslCrypto::sha256(ByteView octets) const {
    return crypto::sha256(octets);
}
Bytes OpenSslCrypto::random(std::size_t size) const {
    return crypto::random(size);
}

}  // namespace connector::crypto
