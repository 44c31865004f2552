#include "core/crypto/key.hpp"

#include "core/crypto/encoding.hpp"
#include "tests/unit/crypto/fixtures.hpp"

namespace connector::crypto {
namespace {

using test::ec_key;
using test::must;
using test::pki;
using test::rsa_key;

TEST(PrivateKey, IsOfTheKindThatWasAskedFor) {
    EXPECT_EQ(rsa_key().facts().algorithm, KeyAlgorithm::rsa);
    EXPECT_EQ(rsa_key().facts().bits, 2048U);
    EXPECT_TRUE(rsa_key().facts().exponent_fit);
    EXPECT_EQ(ec_key().facts().curve, "P-256");
    EXPECT_EQ(ec_key(KeyType::ec_p384).facts().curve, "P-384");
    EXPECT_EQ(ec_key().facts().algorithm, KeyAlgorithm::ec);
}

TEST(PrivateKey, ComesBackFromPkcs8) {
    const auto check = [](const PrivateKey& key) {
        const auto pkcs8 = must(key.to_pkcs8());
        const auto back = must(PrivateKey::from_pkcs8(pkcs8));
        EXPECT_EQ(back.spki_der(), key.spki_der());
        EXPECT_EQ(back.spki_sha256(), key.spki_sha256());
        EXPECT_TRUE(must(back.to_pkcs8()).equals(pkcs8.view()));
    };
    check(rsa_key());
    check(ec_key());
    check(ec_key(KeyType::ec_p384));
}

TEST(PrivateKey, RefusesPkcs8WithOctetsBehindItOrMissing) {
    auto longer = must(ec_key().to_pkcs8());
    longer.append(std::string_view("\0", 1));
    EXPECT_FALSE(PrivateKey::from_pkcs8(longer));
    auto shorter = must(ec_key().to_pkcs8());
    shorter.truncate(shorter.size() - 1);
    EXPECT_FALSE(PrivateKey::from_pkcs8(shorter));
    EXPECT_FALSE(PrivateKey::from_pkcs8(SecretBytes()));
}

TEST(PrivateKey, ComesBackFromPem) {
    const auto key = ec_key();
    const auto pem = must(key.to_pem());
    EXPECT_TRUE(pem.reveal_text().starts_with("-----BEGIN PRIVATE KEY-----"));
    EXPECT_EQ(must(PrivateKey::from_pem(pem)).spki_der(), key.spki_der());
}

TEST(PrivateKey, IsEncryptedUnderAPassphraseAndNeverAsksForOne) {
    const auto key = ec_key();
    const auto passphrase = SecretBytes::copy_of(std::string_view("correct horse"));
    const auto pem = must(key.to_pem(passphrase));
    EXPECT_TRUE(pem.reveal_text().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    EXPECT_EQ(must(PrivateKey::from_pem(pem, passphrase)).spki_der(), key.spki_der());

    const auto wrong = PrivateKey::from_pem(pem, SecretBytes::copy_of(std::string_view("battery staple")));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, ErrorKind::unauthorized);
    const auto missing = PrivateKey::from_pem(pem);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::unauthorized);
    EXPECT_FALSE(key.to_pem(SecretBytes()));
}

TEST(PrivateKey, RefusesTextWithoutAKey) {
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes()));
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes::copy_of(certificate_to_pem(pki().leaf))));
}

TEST(PrivateKey, KnowsItsCertificate) {
    EXPECT_TRUE(pki().key.fits(pki().leaf));
    EXPECT_FALSE(pki().key.fits(pki().rsa_leaf));
    EXPECT_FALSE(pki().key.fits(bytes_of("not a certificate")));
    EXPECT_TRUE(proves_possession(pki().key, pki().leaf));
    EXPECT_FALSE(proves_possession(pki().key, pki().rsa_leaf));
}

TEST(PrivateKey, LeavesNoErrorsForOthers) {
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes::copy_of(std::string_view("nothing"))));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(PublicKey, ComesFromPem) {
    const auto spki = must(public_key_from_pem(rsa_key().public_pem()));
    EXPECT_EQ(spki, rsa_key().spki_der());
    EXPECT_EQ(must(inspect_public_key(spki)).spki_sha256, rsa_key().spki_sha256());
    EXPECT_FALSE(public_key_from_pem("nothing"));
    EXPECT_FALSE(public_key_from_pem(to_pem(pem::k_public_key, bytes_of("0"))));
}

TEST(PublicKey, IsNamedByItsEncoding) {
    const auto pss = test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    EXPECT_EQ(pss.facts().algorithm, KeyAlgorithm::other);
}

}  // namespace
}  // namespace connector::crypto
