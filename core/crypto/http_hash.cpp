#include "core/crypto/http_hash.hpp"

#include "core/crypto/internal/openssl.hpp"

#include <array>

namespace connector::crypto {

Result<SecretBytes> http_hash(HttpHash hash, std::initializer_list<ByteView> fields) {
    const CleanErrors clean;
    const bool md5 = hash == HttpHash::md5;
    const Owned<EVP_MD, EVP_MD_free> algorithm(EVP_MD_fetch(nullptr, md5 ? "MD5" : "SHA256", nullptr));
    if (!algorithm)
        return Error(ErrorKind::misconfigured, "unsupported",
                     std::string("OpenSSL offers no ") + (md5 ? "MD5" : "SHA-256") + " on this machine");
    const Owned<EVP_MD_CTX, EVP_MD_CTX_free> digest(EVP_MD_CTX_new());
    bool good = digest && EVP_DigestInit_ex2(digest.get(), algorithm.get(), nullptr) == 1;
    bool first = true;
    for (const ByteView field : fields) {
        good = good && (first || EVP_DigestUpdate(digest.get(), ":", 1) == 1) &&
               (field.empty() || EVP_DigestUpdate(digest.get(), field.data(), field.size()) == 1);
        first = false;
    }
    SecretBytes octets(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (!good || EVP_DigestFinal_ex(digest.get(), octets.data(), &size) != 1) return openssl_internal("digest");
    static constexpr std::string_view k_digits = "0123456789abcdef";
    SecretBytes hex(std::size_t{2} * size);
    for (std::size_t i = 0; i < size; ++i) {
        hex.data()[2 * i] = static_cast<std::uint8_t>(k_digits[octets.data()[i] >> 4U]);
        hex.data()[2 * i + 1] = static_cast<std::uint8_t>(k_digits[octets.data()[i] & 15U]);
    }
    return hex;
}

}  // namespace connector::crypto
