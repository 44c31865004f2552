#include "core/crypto/oaep.hpp"

#include "tests/unit/crypto/fixtures.hpp"

#include <openssl/rsa.h>

namespace connector::crypto {
namespace {

using test::code_of;
using test::must;
using test::rsa_key;

TEST(Oaep, OpensWhatItWrapped) {
    for (const auto hash : {OaepHash::sha256, OaepHash::sha384, OaepHash::sha512}) {
        for (const std::size_t size : {0UL, 1UL, 32UL, oaep_capacity(2048, hash)}) {
            const SecretBytes secret(size);
            const auto wrapped = must(wrap_oaep(rsa_key().spki_der(), secret, hash));
            EXPECT_TRUE(must(unwrap_oaep(rsa_key(), wrapped, hash)).equals(secret.view()));
        }
    }
}

TEST(Oaep, KnowsHowMuchFits) {
    EXPECT_EQ(oaep_capacity(2048, OaepHash::sha512), 126U);
    EXPECT_EQ(oaep_capacity(2048, OaepHash::sha384), 158U);
    EXPECT_EQ(oaep_capacity(2048, OaepHash::sha256), 190U);
    EXPECT_EQ(oaep_capacity(3072, OaepHash::sha256), 318U);
    EXPECT_EQ(oaep_capacity(512, OaepHash::sha512), 0U);
    EXPECT_FALSE(wrap_oaep(rsa_key().spki_der(), SecretBytes(191), OaepHash::sha256));
}

TEST(Oaep, SaysTheSameOfEveryFailure) {
    const auto secret = SecretBytes::copy_of(std::string_view("hunter2"));
    const auto wrapped = must(wrap_oaep(rsa_key().spki_der(), secret, OaepHash::sha256));
    Bytes spoilt = wrapped;
    spoilt[10] ^= 1U;
    const auto other = test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}));
    const Result<SecretBytes> failures[] = {
        unwrap_oaep(rsa_key(), spoilt, OaepHash::sha256),
        unwrap_oaep(rsa_key(), wrapped, OaepHash::sha384),
        unwrap_oaep(other, wrapped, OaepHash::sha256),
        unwrap_oaep(rsa_key(), ByteView(wrapped).first(255), OaepHash::sha256),
        unwrap_oaep(rsa_key(), {}, OaepHash::sha256),
        unwrap_oaep(test::ec_key(), wrapped, OaepHash::sha256),
    };
    for (const auto& failure : failures) {
        ASSERT_FALSE(failure);
        EXPECT_EQ(failure.error().code, "importUndecryptable");
        EXPECT_EQ(failure.error().kind, ErrorKind::invalid);
        EXPECT_EQ(failure.error().message, failures[0].error().message);
    }
}

TEST(Oaep, DoesNotTakeMgf1WithAnotherHash) {
    // OAEP with SHA-256 but MGF1 with SHA-1, as some libraries make it.
    const PKeyContext context(EVP_PKEY_CTX_new(rsa_key().native(), nullptr));
    ASSERT_EQ(EVP_PKEY_encrypt_init(context.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha1()), 1);
    const ByteView secret = bytes_of("secret");
    std::size_t size = 256;
    Bytes wrapped(size);
    ASSERT_EQ(EVP_PKEY_encrypt(context.get(), wrapped.data(), &size, secret.data(), secret.size()), 1);
    EXPECT_EQ(code_of(unwrap_oaep(rsa_key(), wrapped, OaepHash::sha256)), "importUndecryptable");
}

TEST(Oaep, WrapsForRsaKeysOnly) {
    EXPECT_FALSE(wrap_oaep(test::ec_key().spki_der(), SecretBytes(3), OaepHash::sha256));
    EXPECT_FALSE(wrap_oaep(bytes_of("no key"), SecretBytes(3), OaepHash::sha256));
}

}  // namespace
}  // namespace connector::crypto
