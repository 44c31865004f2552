#include "core/crypto/aead.hpp"

#include "core/crypto/internal/openssl.hpp"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace connector::crypto {
namespace {

using CipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

// EVP counts in int.
constexpr std::size_t k_longest = std::numeric_limits<int>::max() / 2;

Error not_opened() {
    return Error(ErrorKind::integrity, "internal", "sealed octets do not open");
}

template <class Kind>
Kind digest(ByteView octets, const EVP_MD* algorithm) {
    Kind made;
    unsigned size = 0;
    if (EVP_Digest(octets.data(), octets.size(), made.octets.data(), &size, algorithm, nullptr) != 1 ||
        size != made.octets.size())
        throw std::runtime_error("digest failed");
    return made;
}

}  // namespace

Result<Bytes> aead_seal(const SecretBytes& key, ByteView plaintext, ByteView context) {
    return aead_seal_with_nonce(key, random(k_aead_nonce_size), plaintext, context);
}

Result<Bytes> aead_seal_with_nonce(const SecretBytes& key, ByteView nonce, ByteView plaintext, ByteView context) {
    const CleanErrors clean;
    if (key.size() != k_aead_key_size || nonce.size() != k_aead_nonce_size)
        return Error(ErrorKind::internal, "internal", "AES-256-GCM: key or nonce of the wrong size");
    if (plaintext.size() > k_longest || context.size() > k_longest)
        return Error(ErrorKind::internal, "internal", "AES-256-GCM: too long");
    Bytes sealed(k_aead_nonce_size + plaintext.size() + k_aead_tag_size);
    std::copy(nonce.begin(), nonce.end(), sealed.begin());
    std::uint8_t* out = sealed.data() + k_aead_nonce_size;
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    int done = 0;
    if (!cipher || EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) != 1 ||
        (!context.empty() &&
         EVP_EncryptUpdate(cipher.get(), nullptr, &done, context.data(), static_cast<int>(context.size())) != 1) ||
        (!plaintext.empty() &&
         EVP_EncryptUpdate(cipher.get(), out, &done, plaintext.data(), static_cast<int>(plaintext.size())) != 1))
        return openssl_internal("AES-256-GCM");
    out += plaintext.size();
    if (EVP_EncryptFinal_ex(cipher.get(), out, &done) != 1 || done != 0 ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(k_aead_tag_size), out) != 1)
        return openssl_internal("AES-256-GCM");
    return sealed;
}

Result<SecretBytes> aead_open(const SecretBytes& key, ByteView sealed, ByteView context) {
    const CleanErrors clean;
    constexpr std::size_t k_around = k_aead_nonce_size + k_aead_tag_size;
    if (key.size() != k_aead_key_size || sealed.size() < k_around || sealed.size() > k_longest ||
        context.size() > k_longest)
        return not_opened();
    const ByteView nonce = sealed.first(k_aead_nonce_size);
    const ByteView ciphertext = sealed.subspan(k_aead_nonce_size, sealed.size() - k_around);
    Bytes tag(sealed.end() - static_cast<std::ptrdiff_t>(k_aead_tag_size), sealed.end());
    SecretBytes plaintext(ciphertext.size());
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    int done = 0;
    std::uint8_t beyond = 0;
    if (!cipher || EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) != 1 ||
        (!context.empty() &&
         EVP_DecryptUpdate(cipher.get(), nullptr, &done, context.data(), static_cast<int>(context.size())) != 1) ||
        (!ciphertext.empty() && EVP_DecryptUpdate(cipher.get(), plaintext.data(), &done, ciphertext.data(),
                                                  static_cast<int>(ciphertext.size())) != 1) ||
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) != 1 ||
        EVP_DecryptFinal_ex(cipher.get(), &beyond, &done) != 1)
        return not_opened();
    return plaintext;
}

Result<SecretBytes> hkdf_sha256(const SecretBytes& key, ByteView salt, ByteView info, std::size_t size) {
    const CleanErrors clean;
    const Owned<EVP_KDF, EVP_KDF_free> algorithm(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const Owned<EVP_KDF_CTX, EVP_KDF_CTX_free> derivation(algorithm ? EVP_KDF_CTX_new(algorithm.get()) : nullptr);
    if (!derivation || size == 0) return openssl_internal("HKDF");
    // The parameters are only read; OSSL_PARAM has no const.
    const auto octets = [](const char* name, ByteView value) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(value.data()), value.size());
    };
    std::string hash = "SHA256";
    std::vector<OSSL_PARAM> parameters{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
                                       octets(OSSL_KDF_PARAM_KEY, key.view())};
    if (!salt.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_SALT, salt));
    if (!info.empty()) parameters.push_back(octets(OSSL_KDF_PARAM_INFO, info));
    parameters.push_back(OSSL_PARAM_construct_end());
    SecretBytes derived(size);
    if (EVP_KDF_derive(derivation.get(), derived.data(), derived.size(), parameters.data()) != 1)
        return openssl_internal("HKDF");
    return derived;
}

Sha256 hmac_sha256(const SecretBytes& key, ByteView octets) {
    const CleanErrors clean;
    Sha256 made;
    unsigned size = 0;
    // A null key would mean "the key of last time".
    static constexpr std::uint8_t k_empty = 0;
    const std::uint8_t* secret = key.empty() ? &k_empty : key.data();
    if (HMAC(EVP_sha256(), secret, static_cast<int>(key.size()), octets.data(), octets.size(), made.octets.data(),
             &size) == nullptr ||
        size != made.octets.size())
        throw std::runtime_error("HMAC failed");
    return made;
}

Sha256 sha256(ByteView octets) {
    return digest<Sha256>(octets, EVP_sha256());
}
Thumbprint sha1(ByteView octets) {
    return digest<Thumbprint>(octets, EVP_sha1());
}

Bytes random(std::size_t size) {
    Bytes octets(size);
    if (size > k_longest || (size != 0 && RAND_bytes(octets.data(), static_cast<int>(size)) != 1))
        throw std::runtime_error("the random generator failed");
    return octets;
}

SecretBytes random_secret(std::size_t size) {
    SecretBytes octets(size);
    if (size > k_longest || (size != 0 && RAND_priv_bytes(octets.data(), static_cast<int>(size)) != 1))
        throw std::runtime_error("the random generator failed");
    return octets;
}

SecretBytes random_password(std::size_t size) {
    static constexpr std::string_view k_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // Octets from here up would make some letters likelier than others.
    constexpr unsigned k_fair = 256 / k_letters.size() * k_letters.size();
    SecretBytes password(size);
    for (std::size_t filled = 0; filled < size;) {
        const SecretBytes drawn = random_secret(size);
        for (const auto octet : drawn.view()) {
            if (octet >= k_fair || filled == size) continue;
            password.data()[filled++] = static_cast<std::uint8_t>(k_letters[octet % k_letters.size()]);
        }
    }
    return password;
}

bool equal_constant_time(ByteView left, ByteView right) noexcept {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace connector::crypto
