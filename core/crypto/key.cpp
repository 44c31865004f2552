#include "core/crypto/key.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/encoding.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"
#include "core/crypto/internal/openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>

namespace connector::crypto {
namespace {

void free_octets(unsigned char* octets) {
    OPENSSL_free(octets);
}

Error no_key(std::string_view what) {
    return openssl_invalid("private key: " + std::string(what));
}

// What PEM reading asks for a passphrase; without one it must fail, never prompt.
struct Passphrase {
    const SecretBytes* secret = nullptr;
    bool asked = false;
};
int give_passphrase(char* buffer, int size, int, void* context) {
    auto* passphrase = static_cast<Passphrase*>(context);
    passphrase->asked = true;
    if (passphrase->secret == nullptr || passphrase->secret->size() > static_cast<std::size_t>(std::max(0, size)))
        return -1;
    if (!passphrase->secret->empty()) std::memcpy(buffer, passphrase->secret->data(), passphrase->secret->size());
    return static_cast<int>(passphrase->secret->size());
}

bool usable_type(const EVP_PKEY* key) {
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_RSA:
        case EVP_PKEY_EC:
        case EVP_PKEY_ED25519:
        case EVP_PKEY_ED448: return true;
        default: return false;
    }
}

Result<PrivateKey> read_pem(const SecretBytes& pem, const SecretBytes* secret) {
    const CleanErrors clean;
    const auto source = read_from(pem.view());
    Passphrase passphrase{secret};
    PKey key(source ? PEM_read_bio_PrivateKey(source.get(), nullptr, give_passphrase, &passphrase) : nullptr);
    if (!key && passphrase.asked)
        return openssl_error(ErrorKind::unauthorized, "invalidRequest",
                             secret == nullptr ? "private key: encrypted, and no passphrase is given"
                                               : "private key: the passphrase does not open it");
    if (!key) return no_key("not a PEM private key");
    return PrivateKeyAccess::adopt(std::move(key));
}

Result<SecretBytes> out_of(BIO* sink) {
    const ByteView octets = sink_octets(sink);
    if (octets.empty()) return openssl_internal("private key: not written");
    return SecretBytes::copy_of(octets);
}

Result<Pkcs8Info> to_info(const PrivateKey& key) {
    const auto der = key.to_pkcs8();
    if (!der) return der.error();
    const unsigned char* at = der->data();
    Pkcs8Info info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der->size())));
    if (!info) return openssl_internal("private key: not encoded");
    return info;
}

}  // namespace

PrivateKey::PrivateKey() noexcept = default;
PrivateKey::PrivateKey(PrivateKey&& other) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&& other) noexcept = default;
PrivateKey::~PrivateKey() = default;

void PrivateKey::Release::operator()(evp_pkey_st* handle) const noexcept {
    EVP_PKEY_free(handle);
}

Result<PrivateKey> PrivateKeyAccess::adopt(PKey handle) {
    if (!handle || !usable_type(handle.get())) return no_key("neither RSA, EC, Ed25519 nor Ed448");
    PrivateKey key;
    // In one call: asked for the size, i2d_PUBKEY makes the whole encoding too.
    unsigned char* encoded = nullptr;
    const int size = i2d_PUBKEY(handle.get(), &encoded);
    const Owned<unsigned char, free_octets> spki(encoded);
    if (size <= 0) return openssl_internal("public key: not encoded");
    key.spki_.assign(spki.get(), spki.get() + size);
    key.facts_ = key_facts(key.spki_, handle.get());
    key.spki_sha256_ = key.facts_.spki_sha256;
    key.handle_.reset(handle.release());
    return key;
}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
    const CleanErrors clean;
    PKey key;
    const auto rsa = [](std::size_t bits) { return PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits)); };
    const auto ec = [](const char* curve) { return PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve)); };
    switch (type) {
        case KeyType::rsa2048: key = rsa(2048); break;
        case KeyType::rsa3072: key = rsa(3072); break;
        case KeyType::rsa4096: key = rsa(4096); break;
        case KeyType::ec_p256: key = ec("P-256"); break;
        case KeyType::ec_p384: key = ec("P-384"); break;
    }
    if (!key) return openssl_internal("private key: not generated");
    return PrivateKeyAccess::adopt(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pkcs8(const SecretBytes& der) {
    const CleanErrors clean;
    if (!der::well_framed(der.view())) return no_key("not DER, or octets after it");
    const unsigned char* at = der.data();
    const Pkcs8Info info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
    if (!info || at != der.data() + der.size()) return no_key("not a PrivateKeyInfo");
    PKey key = private_key_from(info.get());
    if (!key) return no_key("does not parse");
    return PrivateKeyAccess::adopt(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pem(const SecretBytes& pem) {
    return read_pem(pem, nullptr);
}
Result<PrivateKey> PrivateKey::from_pem(const SecretBytes& pem, const SecretBytes& passphrase) {
    return read_pem(pem, &passphrase);
}

Result<SecretBytes> PrivateKey::to_pkcs8() const {
    const CleanErrors clean;
    // Not EVP_PKEY2PKCS8: it hands the whole key through memory that it frees as it is.
    const Owned<OSSL_ENCODER_CTX, OSSL_ENCODER_CTX_free> encoder(
        OSSL_ENCODER_CTX_new_for_pkey(handle_.get(), EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", nullptr));
    const auto sink = secret_sink();
    if (!encoder || !sink || OSSL_ENCODER_to_bio(encoder.get(), sink.get()) != 1)
        return openssl_internal("private key: not encoded");
    return out_of(sink.get());
}

Result<SecretBytes> PrivateKey::to_pem() const {
    const CleanErrors clean;
    const auto info = to_info(*this);
    if (!info) return info.error();
    const auto sink = secret_sink();
    if (!sink || PEM_write_bio_PKCS8_PRIV_KEY_INFO(sink.get(), info->get()) != 1)
        return openssl_internal("private key: not written");
    return out_of(sink.get());
}

Result<SecretBytes> PrivateKey::to_pem(const SecretBytes& passphrase) const {
    constexpr int k_iterations = 600'000;
    const CleanErrors clean;
    if (passphrase.empty()) return invalid("private key: empty passphrase");
    const auto info = to_info(*this);
    if (!info) return info.error();
    Owned<X509_ALGOR, X509_ALGOR_free> scheme(
        PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), k_iterations, nullptr, 0, nullptr, NID_hmacWithSHA256));
    if (!scheme) return openssl_internal("private key: not encrypted");
    const Owned<X509_SIG, X509_SIG_free> sealed(PKCS8_set0_pbe(
        passphrase.reveal_text().data(), static_cast<int>(passphrase.size()), info->get(), scheme.get()));
    if (!sealed) return openssl_internal("private key: not encrypted");
    static_cast<void>(scheme.release());
    const auto sink = secret_sink();
    if (!sink || PEM_write_bio_PKCS8(sink.get(), sealed.get()) != 1)
        return openssl_internal("private key: not written");
    return out_of(sink.get());
}

std::string PrivateKey::public_pem() const {
    return crypto::to_pem(pem::k_public_key, spki_);
}

bool PrivateKey::fits(ByteView certificate) const {
    const CleanErrors clean;
    const auto parsed = parse_certificate(certificate);
    if (!parsed) return false;
    const EVP_PKEY* public_half = X509_get0_pubkey(parsed->get());
    return public_half != nullptr && EVP_PKEY_eq(public_half, handle_.get()) == 1;
}

Result<Bytes> public_key_from_pem(std::string_view text) {
    auto blocks = crypto::from_pem(pem::k_public_key, text);
    if (!blocks) return blocks.error();
    const auto facts = inspect_public_key(blocks->front());
    if (!facts) return facts.error();
    if (facts->bits == 0) return invalid("public key: does not parse");
    return std::move(blocks->front());
}

Result<PublicKeyFacts> inspect_public_key(ByteView spki) {
    const CleanErrors clean;
    if (!der::well_framed(spki)) return invalid("public key: not DER, or octets after it");
    const unsigned char* at = spki.data();
    const PublicKeyInfo key(d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
    if (!key || at != spki.data() + spki.size()) return openssl_invalid("public key: does not parse");
    return key_facts(key.get());
}

}  // namespace connector::crypto
