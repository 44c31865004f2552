#include "core/crypto/oaep.hpp"

#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"

#include <openssl/rsa.h>

namespace connector::crypto {
namespace {

const EVP_MD* digest_of(OaepHash hash) noexcept {
    switch (hash) {
        case OaepHash::sha256: return EVP_sha256();
        case OaepHash::sha384: return EVP_sha384();
        case OaepHash::sha512: return EVP_sha512();
    }
    return nullptr;
}

// Both hashes by name: MGF1's default follows the other one in OpenSSL, but not in every token.
bool choose(EVP_PKEY_CTX* context, OaepHash hash) {
    const EVP_MD* digest = digest_of(hash);
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1;
}

Error not_unwrapped() {
    return Error(ErrorKind::invalid, "importUndecryptable", "the record's password or PFX does not open");
}

}  // namespace

Result<Bytes> wrap_oaep(ByteView spki, const SecretBytes& secret, OaepHash hash) {
    const CleanErrors clean;
    const auto facts = inspect_public_key(spki);
    if (!facts) return facts.error();
    if (facts->algorithm != KeyAlgorithm::rsa) return invalid("RSA-OAEP: not an RSA key");
    if (secret.size() > oaep_capacity(facts->bits, hash)) return invalid("RSA-OAEP: too long for this key and hash");
    const unsigned char* at = spki.data();
    const PKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
    const PKeyContext context(key ? EVP_PKEY_CTX_new(key.get(), nullptr) : nullptr);
    std::size_t size = 0;
    if (!context || EVP_PKEY_encrypt_init(context.get()) != 1 || !choose(context.get(), hash) ||
        EVP_PKEY_encrypt(context.get(), nullptr, &size, secret.data(), secret.size()) != 1)
        return openssl_internal("RSA-OAEP");
    Bytes wrapped(size);
    if (EVP_PKEY_encrypt(context.get(), wrapped.data(), &size, secret.data(), secret.size()) != 1)
        return openssl_internal("RSA-OAEP");
    wrapped.resize(size);
    return wrapped;
}

Result<SecretBytes> unwrap_oaep(const PrivateKey& key, ByteView ciphertext, OaepHash hash) {
    const CleanErrors clean;
    const PKeyContext context(EVP_PKEY_CTX_new(key.native(), nullptr));
    if (key.facts().algorithm != KeyAlgorithm::rsa || !context || EVP_PKEY_decrypt_init(context.get()) != 1 ||
        !choose(context.get(), hash))
        return not_unwrapped();
    std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key.native()));
    SecretBytes secret(size);
    if (ciphertext.size() != size ||
        EVP_PKEY_decrypt(context.get(), secret.data(), &size, ciphertext.data(), ciphertext.size()) != 1)
        return not_unwrapped();
    secret.truncate(size);
    return secret;
}

Result<SecretBytes> unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext, OaepHash hash) {
    const auto key = PrivateKey::from_pkcs8(pkcs8);
    if (!key) return not_unwrapped();
    return unwrap_oaep(*key, ciphertext, hash);
}

std::size_t oaep_capacity(unsigned key_bits, OaepHash hash) noexcept {
    const std::size_t octets = (key_bits + 7U) / 8U;
    const std::size_t overhead = 2 * (hash == OaepHash::sha256 ? 32U : hash == OaepHash::sha384 ? 48U : 64U) + 2;
    return octets > overhead ? octets - overhead : 0;
}

}  // namespace connector::crypto
